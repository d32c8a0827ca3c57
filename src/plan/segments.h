// Stretches of a phase that can run band by band: in each, every node reads what earlier nodes of the stretch
// made only near the pixels that it computes (convolutions with their halo, norms, products of each token),
// so that a few rows of each value are enough. What needs a whole value (keys and values of attention, the
// statistics of a norm) begins a new stretch.
#pragma once

#include <vector>

#include "plan/phase_facts.h"

namespace snug {

struct Segment {
  int first = 0, last = 0;  // positions in PhaseFacts::nodes, both included
  // The most bands that it can run in: rows of its shortest output. 1: only whole.
  int most_bands = 1;
};

// All nodes, in order.
std::vector<Segment> find_segments(const PhaseFacts& facts);

}  // namespace snug
