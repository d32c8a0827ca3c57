// The page benchmarks: what is to be expected of this machine for its usual requests, beside what it does.
//
// A target is a multiple, configured here, of the time that is planned from this machine's own measured
// rates: a faster machine has stricter ones. The uses are the presets (planned_uses.h), and what was asked
// for most in the window, whose planned time is what was planned for those jobs. Pure.
#pragma once

#include <span>

#include <nlohmann/json.hpp>

#include "jobs/run_record.h"
#include "monitor/pages/planned_uses.h"

namespace snug {

// Of the planned time. A run also opens files, waits for others and is slowed by them.
inline constexpr double kOptimalMultiple = 1.25, kAcceptableMultiple = 2, kMaximumMultiple = 4;

// {"multiples", "basis", "targets": [...]}. `ended`: the window's records, in any order.
nlohmann::ordered_json benchmarks(std::span<const RunRecord> ended, std::span<const PlannedUse> uses);

}  // namespace snug
