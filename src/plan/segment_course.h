// The steps of a segment in brief, and what of them a search needs. Called by segment_plan.cc.
#pragma once

#include <vector>

#include "plan/segment_plan.h"

namespace snug {

// A step of a segment's plan: a run of a kernel, or a move.
struct BriefStep {
  int node = -1;   // counted from the segment's first; -1: a move
  int slices = 1;  // of the node's output channels
  int slice = 0;
  int turn = 0;  // the band, counted from 1: in which its weights are read, where bands read them again
  uint64_t move_bytes = 0;
  Region part;
};

SegmentPlan::Course course_of(const PhaseFacts& facts, const Segment& segment, const SegmentWay& way,
                              const std::vector<BriefStep>& steps, const Rates& rates);

}  // namespace snug
