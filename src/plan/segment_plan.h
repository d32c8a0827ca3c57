// How one segment runs in a given number of bands: the runs of its kernels in order, with the pixels that
// each computes, and the memory that its own values need meanwhile.
//
// In one band, nodes run one after another on whole values. In several, each image goes through all nodes a
// few rows at a time; a value that only the segment reads is kept as the rows that are still needed (a
// rolling buffer, moved to its front between bands), so nothing is computed twice. A segment by heads goes
// through groups of heads instead, each on all images and pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/phase_facts.h"
#include "plan/segments.h"

namespace snug {

struct SegmentStep {
  int node = -1;              // position in PhaseFacts::nodes; -1: a move
  Region part;                // of the node's output
  int slice = 0, slices = 1;  // of the node's output channels
  // Of values in rolling buffers, what is there; empty: the value is whole.
  std::vector<Region> input_held;  // by input
  Region output_held;
  // A move: of a rolling buffer's bytes.
  ValueId moved = kNoValue;
  uint64_t move_from = 0, move_bytes = 0;
};

// A value made in the segment.
struct SegmentValue {
  ValueId id = kNoValue;
  uint64_t bytes = 0;             // of its buffer
  bool rolling = false;           // whole otherwise
  ValueId overwrites = kNoValue;  // lies where this one lay, at least as large
  int first_step = 0, last_step = 0;
};

struct SegmentPlan {
  int bands = 1;
  std::vector<SegmentStep> steps;
  std::vector<SegmentValue> values;
  // Values of earlier segments that are read here, with the last step that does.
  std::vector<std::pair<ValueId, int>> read;
};

// `slice_bytes`: nodes with weights larger than this run by output channels, when their kernels can and there
// is one band.
SegmentPlan plan_segment(const PhaseFacts& facts, const Segment& segment, int bands, uint64_t slice_bytes);

// Bytes that live at each step beside those of values that only pass by: the segment's own values, those
// that it reads, and scratch. `home_bytes`: by value, of the buffer in which it lies (home_bytes_of).
std::vector<uint64_t> live_bytes(const PhaseFacts& facts, const Segment& segment, const SegmentPlan& plan,
                                 const std::vector<uint64_t>& home_bytes);

// What a step's kernel needs; and, in bands, what one buffer for all steps of the segment must hold.
uint64_t scratch_bytes(const PhaseFacts& facts, const SegmentStep& step);
uint64_t shared_scratch_bytes(const PhaseFacts& facts, const SegmentPlan& plan);

// Bytes of the weights that a node reads, as they lie in memory.
uint64_t weight_bytes(const PhaseFacts& facts, const NodeFacts& node);

}  // namespace snug
