// The bytes of the arena that a plan has in use over its time: the curve whose top is the plan's peak. Shown
// beside what was measured (runtime/memory_samples.h) by `snug profile`.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/plan.h"

namespace snug {

// For each phase in order, by its instructions: bytes of all buffers that are alive then. A phase without
// instructions has one instant of its own.
std::vector<std::vector<uint64_t>> live_bytes(const Plan& plan);

}  // namespace snug
