// The proof that a plan keeps its word, by a second way of looking at it: the plan is replayed instruction by
// instruction, without the code that made it.
//   - every operand lies inside its buffer and is used only while the buffer lives;
//   - no two buffers that live at the same instruction overlap;
//   - every value is written before it is read, and nothing overwrites it in between;
//   - the highest byte in use at any time is the arena's size.
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
