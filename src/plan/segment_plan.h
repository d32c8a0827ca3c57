// How one segment runs in a given number of bands: the runs of its kernels in order, with the pixels that
// each computes, and the memory that its own values need meanwhile.
//
// In one band, nodes run one after another on whole values. In several, each image goes through all nodes a
// few rows at a time; a value that only the segment reads is kept as the rows that are still needed (a
// rolling buffer, moved to its front between bands), so nothing is computed twice. A segment by heads goes
// through groups of heads instead, each on all images and pixels.
//
// A search compares thousands of such plans, and a clip's decoder has 100 000 steps: so the search works on
// plans in brief, which have stretches of steps in place of the steps, and which segments that are alike
// share (plan_alike). Only what is going to run is planned step by step.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

#include "plan/phase_facts.h"
#include "plan/rates.h"
#include "plan/segments.h"

namespace snug {

struct SegmentStep {
  int node = -1;              // position in PhaseFacts::nodes; -1: a move
  Region part;                // of the node's output
  int slice = 0, slices = 1;  // of the node's output channels
  int turn = 0;               // in which its weights are read (SegmentStretch)
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

// How a segment is to run.
struct SegmentWay {
  int bands = 1;
  // Nodes with weights larger than this run by output channels, when their kernels can and there is one band.
  uint64_t slice_bytes = UINT64_MAX;
  // Weights are read again for each band. Otherwise those of all nodes that run in bands are there at once.
  bool rereads = false;

  // NOLINTNEXTLINE(modernize-use-nullptr): it takes the comparison with 0 inside for a pointer's.
  auto operator<=>(const SegmentWay&) const = default;
};

// Steps in a row of which only the first reads weights that no step before it has read, or that none after it
// reads.
struct SegmentStretch {
  int first_step = 0, steps = 0;
  double seconds = 0;  // predicted
  // Of the weights that it reads: the node, counted from the segment's first (-1: none); which channels of
  // its output; and the turn in which they are read, counted from 1 when they are read again for each band
  // (else 0).
  int node = -1;
  int slices = 1;
  int turn = 0;
  Interval channels;
};

struct SegmentPlan {
  SegmentWay way;
  std::vector<SegmentStep> steps;  // none in brief
  std::vector<SegmentValue> values;
  // Values of earlier segments that are read here, with the last step that does.
  std::vector<std::pair<ValueId, int>> read;
  // Alike for segments that are alike.
  struct Course {
    int steps = 0;
    size_t inputs = 0;  // of all its kernels' runs
    std::vector<SegmentStretch> stretches;
    double seconds = 0;                 // of all of them
    uint64_t live_weight_bytes = 0;     // the most that must be in memory at once, whatever the ring
    uint64_t shared_scratch_bytes = 0;  // in bands: of one buffer for all steps, used from and to
    int first_scratch_step = -1, last_scratch_step = -1;
    std::vector<uint64_t> step_scratch_bytes;  // in one band: of each step's own
  };
  std::shared_ptr<const Course> course;

  int bands() const { return way.bands; }
};

enum class PlanDetail : uint8_t { kBrief, kSteps };

struct BriefStep;

// `kept`: gets the steps in brief, for plan_rereading.
SegmentPlan plan_segment(const PhaseFacts& facts, const Segment& segment, const SegmentWay& way,
                         const Rates& rates, PlanDetail detail, std::vector<BriefStep>* kept = nullptr);

// What plan_segment makes in brief of the same way with rereading, from what it made of the one without.
SegmentPlan plan_rereading(const PhaseFacts& facts, const Segment& segment, const SegmentPlan& plan,
                           const std::vector<BriefStep>& steps, const Rates& rates);

// The plan in brief of a segment that is like another (signature_of), maybe another phase's, from the
// other's.
SegmentPlan plan_alike(const PhaseFacts& facts, const Segment& segment, const PhaseFacts& other_facts,
                       const Segment& other, const SegmentPlan& plan);

// The most bytes that live at once beside those of values that only pass by: the segment's own values, those
// that it reads, and scratch. `home_bytes`: by value, of the buffer in which it lies (home_bytes_of).
uint64_t most_live_bytes(const PhaseFacts& facts, const Segment& segment, const SegmentPlan& plan,
                         const std::vector<uint64_t>& home_bytes);

}  // namespace snug
