// A whole phase in order, for given decisions on its segments: the stretches, spills and restores of one run,
// what weights each reads, how long each should take, and the most memory that values need. Built many times
// while searching, so it has no single steps, no offsets and no buffers; planner.cc makes those from the one
// that won.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "plan/phase_facts.h"
#include "plan/rates.h"
#include "plan/segment_plan.h"
#include "plan/weight_loads.h"

namespace snug {

// Some steps of a segment in a row (segment_plan.h: a stretch), or a value that is spilled or restored.
struct SequenceStep {
  enum class Kind : uint8_t { kStretch, kSpill, kRestore } kind = Kind::kStretch;
  int segment = 0;
  int first_step = 0;        // of the segment's plan
  int instructions = 1;      // that it becomes
  ValueId value = kNoValue;  // spilled or restored
};

// From which to which segment a value is in memory, both included. Values that are never spilled have one
// stay, from producer to last reader.
struct Stay {
  int first = 0, last = 0;
};

struct PhaseSequence {
  std::vector<SequenceStep> steps;
  std::vector<WeightUse> uses;     // its instructions: the steps
  std::vector<double> seconds;     // by step, predicted
  uint64_t values_peak_bytes = 0;  // without weights and linked inputs; with room to pack weights
  uint64_t spilled_bytes = 0;
};

// In brief.
using SegmentPlans = std::vector<std::shared_ptr<const SegmentPlan>>;

// Appends the rows of each weight that a run of the node reads which computes `channels`, in one of so many
// slices.
void add_weight_uses(const NodeFacts& node, const Interval& channels, int slices, int turn, int instruction,
                     std::vector<WeightUse>& uses);

// Segment of each node position.
std::vector<int> segment_of_nodes(const PhaseFacts& facts, const std::vector<Segment>& segments);

// When a spilled value is in memory: where it is made and where it is read, gaps left out.
std::vector<Stay> stays_of(const PhaseFacts& facts, const std::vector<int>& segment_of, ValueId id,
                           bool spilled);

// By value: bytes of the buffer in which it lies, its own or that of a value that it overwrote.
std::vector<uint64_t> home_bytes_of(const PhaseFacts& facts, const SegmentPlans& plans);

// Bytes of values that only pass by each segment, each in a buffer of its `home_bytes`. `linked` inputs are
// not counted: they are another phase's.
std::vector<uint64_t> passing_bytes(const PhaseFacts& facts, const std::vector<Segment>& segments,
                                    const SegmentPlans& plans, const std::vector<uint64_t>& home_bytes,
                                    const std::vector<bool>& spilled, const std::vector<bool>& linked);

PhaseSequence make_sequence(const PhaseFacts& facts, const std::vector<Segment>& segments,
                            const SegmentPlans& plans, const std::vector<bool>& spilled,
                            const std::vector<bool>& linked, const Rates& rates);

}  // namespace snug
