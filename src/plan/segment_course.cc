#include "plan/segment_course.h"

#include <algorithm>

#include "plan/cost_model.h"

namespace snug {
namespace {

bool reads_weights(const PhaseFacts& facts, const NodeFacts& node) {
  return std::any_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId id) { return id != kNoValue && facts.is_weight(id); });
}

// The last step that reads the same part of a node's weights, as far as the steps have come.
struct LastUse {
  int turn = -1, slice = -1;
  size_t step = 0;
};

// By step: whether it is the first or the last to read some weights.
std::vector<bool> weight_steps(const PhaseFacts& facts, const Segment& segment,
                               const std::vector<BriefStep>& steps) {
  const auto nodes = static_cast<size_t>(segment.last) - static_cast<size_t>(segment.first) + 1;
  std::vector<bool> reads(nodes);
  for (size_t i = 0; i < nodes; ++i) {
    reads[i] = reads_weights(facts, facts.nodes[static_cast<size_t>(segment.first) + i]);
  }
  std::vector<bool> edges(steps.size(), false);
  std::vector<LastUse> last(nodes);
  for (size_t i = 0; i < steps.size(); ++i) {
    const BriefStep& step = steps[i];
    if (step.node < 0 || !reads[static_cast<size_t>(step.node)]) continue;
    LastUse& use = last[static_cast<size_t>(step.node)];
    // Slices of a node come one after another, and so do the turns.
    const int slice = step.slices > 1 ? step.slice : 0;
    if (use.turn != step.turn || use.slice != slice) {
      if (use.turn >= 0) edges[use.step] = true;
      edges[i] = true;
    }
    use = {step.turn, slice, i};
  }
  for (const LastUse& use : last) {
    if (use.turn >= 0) edges[use.step] = true;
  }
  return edges;
}

}  // namespace

SegmentPlan::Course course_of(const PhaseFacts& facts, const Segment& segment, int bands,
                              const std::vector<BriefStep>& steps, const Rates& rates) {
  SegmentPlan::Course course;
  course.steps = static_cast<int>(steps.size());
  const std::vector<bool> edges = weight_steps(facts, segment, steps);
  bool open = false;
  for (size_t i = 0; i < steps.size(); ++i) {
    const BriefStep& step = steps[i];
    double seconds = 2 * static_cast<double>(step.move_bytes) / rates.memory_bytes;
    uint64_t scratch_bytes = 0;
    if (step.node >= 0) {
      const NodeFacts& node =
          facts.nodes[static_cast<size_t>(segment.first) + static_cast<size_t>(step.node)];
      seconds = predict_seconds(node, step.part, rates);
      scratch_bytes = node.kernel->scratch_bytes;
    }
    course.shared_scratch_bytes = std::max(course.shared_scratch_bytes, scratch_bytes);
    if (scratch_bytes > 0) {
      course.last_scratch_step = static_cast<int>(i);
      if (course.first_scratch_step < 0) course.first_scratch_step = course.last_scratch_step;
    }
    if (bands == 1) course.step_scratch_bytes.push_back(scratch_bytes);
    if (edges[i] || !open) course.stretches.push_back({static_cast<int>(i), 0, 0, -1, 1, 0, {}});
    SegmentStretch& stretch = course.stretches.back();
    ++stretch.steps;
    stretch.seconds += seconds;
    open = !edges[i];
    if (!edges[i]) continue;
    stretch.node = step.node;
    stretch.slices = step.slices;
    stretch.turn = step.turn;
    stretch.part = step.part;
  }
  return course;
}

}  // namespace snug
