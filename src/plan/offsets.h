// Gives every buffer its place in the arena: greedy by size.
//   1. Sort the buffers, largest first (ties: longest lived, then first used, then number: the result depends
//   on
//      nothing else).
//   2. Place each at the lowest aligned offset where it overlaps no placed buffer that lives at the same
//   time.
//   3. The arena is as large as the highest end.
// The method is that of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference"
// (2020).
#pragma once

#include <cstdint>
#include <vector>

#include "plan/plan.h"

namespace snug {

// Sets `offset` of every buffer and returns the arena's size. `alignment` is a power of two.
uint64_t place_buffers(std::vector<Buffer>& buffers, uint64_t alignment);

}  // namespace snug
