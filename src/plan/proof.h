// The proof that a plan keeps its word, by a second way of looking at it: the plan is replayed instruction by
// instruction over the bytes of its arena, without the code that made it, and every byte carries what was
// last written there.
//   - every operand lies inside its buffer, on its alignment, and is used only while the buffer lives;
//   - no two buffers that live at the same instruction overlap;
//   - every kernel finds, in each byte of what its part needs, that byte of that value, by nothing else
//     overwritten in between; weights likewise, loaded as early as the plan allows them to be, in this run
//     and while the one before still runs;
//   - what a repeated phase or a later pass needs again is still there;
//   - every output is complete when its run ends;
//   - no kernel writes over what it reads, but in the very place of an input that it can replace; none writes
//     its output into its scratch;
//   - no instruction waits for a load that waits for it;
//   - the highest byte in use at any time is the arena's size.
// Which graph runs, which kernels it gets and what those ask for (scratch, element types of weights, inputs
// that they can replace) is not judged here; that one graph computes what another does is what
// tests/plan/random_plan_test.cc is for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace snug {

struct Proof {
  std::string fault;                 // empty when the plan holds
  uint64_t peak_bytes = 0;           // highest end of any live buffer
  std::vector<uint64_t> live_bytes;  // bytes of buffers alive at each instruction
};

Proof prove(const Plan& plan);

}  // namespace snug
