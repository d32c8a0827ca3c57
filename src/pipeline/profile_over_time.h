// The two parts of a profile that are recorded while the run goes on, told as JSON: the tree of timed scopes
// (base/scoped_timer.h), and memory (runtime/memory_samples.h) beside the plan's own curve. Called by
// `snug profile`.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/scoped_timer.h"
#include "plan/plan.h"
#include "plan/rates.h"
#include "runtime/memory_samples.h"

namespace snug {

// [{"name", "thread", "count", "total_seconds", "self_seconds", "inside": [...]}], all measured.
nlohmann::ordered_json times_json(const TimeTree& times);

// {"interval_seconds", "sampling_seconds", "samples": [{"seconds", "process_bytes", "arena_bytes"}],
// "planned": [{"phase", "instruction", "predicted_seconds", "process_bytes", "arena_bytes"}]}. Samples are
// measured. The plan's curve has a point wherever it changes; its seconds are predicted, of the phase's first
// run and since the first phase began, with each phase as long as all its runs are predicted to take.
nlohmann::ordered_json memory_json(const MemorySamples& memory, const Plan& plan, const Rates& rates);

}  // namespace snug
