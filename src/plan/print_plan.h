// The plan for people and for scripts.
#pragma once

#include <string>

#include "plan/plan.h"

namespace snug {

// Peak by kind, phases with calls, instructions and work; a dozen lines.
std::string print_plan(const Plan& plan);
// Bytes of each kind alive at the instruction where most is alive, in the order of BufferKind.
std::vector<uint64_t> peak_by_kind(const Plan& plan);

}  // namespace snug
