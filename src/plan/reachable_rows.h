// How far a node of a segment can go on with the rows that are there of what it reads. Called by
// segment_plan.cc for segments that go forward from their first node.
#pragma once

#include <cstdint>
#include <span>

#include "plan/phase_facts.h"

namespace snug {

// Of an input that the segment makes: pixels before `done` are there.
struct MadeRows {
  size_t input = 0;
  int64_t done = 0;
};

// The part of input `input` that a part of the node's output needs.
Region need_of(const NodeFacts& node, size_t input, const Region& part);

// The pixel up to which the node can go on in `image` from `done`: a whole step of its kernel, or its last
// one. `usual`: by how many it went on before, where the search begins.
int64_t reachable_pixel(const NodeFacts& node, int64_t image, int64_t done, int64_t usual,
                        std::span<const MadeRows> made);

}  // namespace snug
