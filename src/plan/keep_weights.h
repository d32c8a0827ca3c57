// For who executes one plan many times (a server): weights that stay in the arena from one execution to the
// next. Called by planner.cc when it is asked for; read by runtime/executor.cc.
//
// A phase's resident weights lie in one buffer. Where that lives from the plan's first instruction to its
// last, nothing else is ever put there, and what the first execution has read is still right in the second.
#pragma once

#include <cstdint>

#include "plan/plan.h"

namespace snug {

// Lets the weights of as many phases stay as fit into `most_arena_bytes`, those with most bytes first: they
// take longest to read again. The rest of the plan is what it was, but for offsets.
void keep_weights(Plan& plan, uint64_t most_arena_bytes);

// Whether the buffer lives as long as the plan.
bool lives_throughout(const Plan& plan, const Buffer& buffer);

}  // namespace snug
