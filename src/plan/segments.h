// Stretches of a phase that can run band by band: in each, every node reads what earlier nodes of the stretch
// made only near the pixels that it computes (convolutions with their halo, norms, products of each token),
// so that a few rows of each value are enough. What needs a whole value (keys and values of attention, the
// statistics of a norm) begins a new stretch.
//
// Self-attention is a stretch of another kind: its queries, keys and values are made for a few heads at a
// time from the whole of what they are made of.
#pragma once

#include <string>
#include <vector>

#include "plan/phase_facts.h"

namespace snug {

struct Segment {
  int first = 0, last = 0;  // positions in PhaseFacts::nodes, both included
  // The most bands that it can run in: rows of its longest value, or groups of heads. 1: only whole.
  int most_bands = 1;
  // The fewest: at least as many as a clip that is taken part by part has frames, so that no frame waits for
  // a later one and the memory for them does not grow with their number.
  int least_bands = 1;
  // A band goes as far as its share of the first node, and every later one as far as what is there of its
  // inputs lets it. Otherwise its share of the last one, and the earlier ones as far as that needs. So the
  // longer value is the one of which a band has a few rows: an encoder makes one frame of many.
  bool forward = false;
  // Bands are groups of heads: the products of queries, keys and values, then the attention that reads them.
  bool by_heads = false;
  int64_t group_channels = 0;  // of a group of heads; the last may have fewer
};

// All nodes, in order.
std::vector<Segment> find_segments(const PhaseFacts& facts);

// Equal for segments that run alike and need the same memory: a model's blocks repeat.
std::string signature_of(const PhaseFacts& facts, const Segment& segment);

}  // namespace snug
