// The proof that a plan keeps its word, by a second way of looking at it: the plan is replayed instruction by
// instruction, without the code that made it.
//   - every operand lies inside its buffer, on its alignment, and is used only while the buffer lives;
//   - no two buffers that live at the same instruction overlap;
//   - every kernel finds each operand where it was written, by nothing else overwritten in between; weights
//   are
//     loaded, and packed by the kernel that reads them, before the first kernel of their phase;
//   - what a repeated phase needs again at its next call lives until the phase ends, and so do outputs;
//   - the highest byte in use at any time is the arena's size.
// Which graph runs and which kernels it gets is not judged here; that one graph computes what another does is
// what tests/executor_test.cc is for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace snug {

struct Proof {
  std::string fault;                 // empty when the plan holds
  uint64_t peak_bytes = 0;           // highest end of any live buffer
  std::vector<uint64_t> live_bytes;  // bytes alive at each instruction
};

Proof prove(const Plan& plan);

}  // namespace snug
