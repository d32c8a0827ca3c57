#include "plan/segment_course.h"

#include <algorithm>
#include <map>

#include "plan/cost_model.h"

namespace snug {
namespace {

int turn_in(const SegmentWay& way, const BriefStep& step) { return way.rereads ? step.turn : 0; }

// The last step that reads the same part of a node's weights, as far as the steps have come.
struct LastUse {
  int turn = -1, slice = -1;
  size_t step = 0;
};

// By step: bytes of weights that it is the first to read, and of those that it is the last to read.
struct WeightEdges {
  std::vector<bool> edges;  // at all
  std::vector<uint64_t> first_bytes, last_bytes;

  // The most that is read at a step, or before and after it.
  uint64_t most_live() const {
    uint64_t now = 0, most = 0;
    for (size_t i = 0; i < first_bytes.size(); ++i) {
      most = std::max(most, now += first_bytes[i]);
      now -= last_bytes[i];
    }
    return most;
  }
};

// By node of the segment: bytes of the weights that it alone reads. Those that several read would be counted
// twice.
std::vector<uint64_t> own_weight_bytes(const PhaseFacts& facts, const Segment& segment) {
  std::map<ValueId, int> readers;
  const auto each = [&](auto take) {
    for (int i = segment.first; i <= segment.last; ++i) {
      for (const NodeWeight& weight : facts.nodes[static_cast<size_t>(i)].weights) take(i, weight);
    }
  };
  each([&](int, const NodeWeight& weight) { ++readers[weight.value]; });
  std::vector<uint64_t> bytes(static_cast<size_t>(segment.last) - static_cast<size_t>(segment.first) + 1, 0);
  each([&](int node, const NodeWeight& weight) {
    if (readers[weight.value] == 1) bytes[static_cast<size_t>(node - segment.first)] += weight.bytes;
  });
  return bytes;
}

WeightEdges weight_edges(const PhaseFacts& facts, const Segment& segment, const SegmentWay& way,
                         const std::vector<BriefStep>& steps) {
  const auto first_node = static_cast<size_t>(segment.first);
  const size_t nodes = static_cast<size_t>(segment.last) - first_node + 1;
  WeightEdges found{std::vector<bool>(steps.size(), false), std::vector<uint64_t>(steps.size(), 0),
                    std::vector<uint64_t>(steps.size(), 0)};
  const std::vector<uint64_t> own_bytes = own_weight_bytes(facts, segment);
  // What comes in slices need not be there at once.
  const auto bytes_at = [&](const BriefStep& step) {
    return step.slices > 1 ? uint64_t{0} : own_bytes[static_cast<size_t>(step.node)];
  };
  const auto end_at = [&](const LastUse& use) {
    found.edges[use.step] = true;
    found.last_bytes[use.step] += bytes_at(steps[use.step]);
  };
  std::vector<LastUse> last(nodes);
  for (size_t i = 0; i < steps.size(); ++i) {
    const BriefStep& step = steps[i];
    if (step.node < 0 || facts.nodes[first_node + static_cast<size_t>(step.node)].weights.empty()) continue;
    LastUse& use = last[static_cast<size_t>(step.node)];
    // Slices of a node come one after another, and so do the turns.
    const int slice = step.slices > 1 ? step.slice : 0, turn = turn_in(way, step);
    if (use.turn != turn || use.slice != slice) {
      if (use.turn >= 0) end_at(use);
      found.edges[i] = true;
      found.first_bytes[i] += bytes_at(step);
    }
    use = {turn, slice, i};
  }
  for (const LastUse& use : last) {
    if (use.turn >= 0) end_at(use);
  }
  return found;
}

}  // namespace

SegmentPlan::Course course_of(const PhaseFacts& facts, const Segment& segment, const SegmentWay& way,
                              const std::vector<BriefStep>& steps, const Rates& rates) {
  SegmentPlan::Course course;
  course.steps = static_cast<int>(steps.size());
  const WeightEdges weights = weight_edges(facts, segment, way, steps);
  const std::vector<bool>& edges = weights.edges;
  course.live_weight_bytes = weights.most_live();
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
      course.inputs += node.inputs.size();
    }
    course.shared_scratch_bytes = std::max(course.shared_scratch_bytes, scratch_bytes);
    if (scratch_bytes > 0) {
      course.last_scratch_step = static_cast<int>(i);
      if (course.first_scratch_step < 0) course.first_scratch_step = course.last_scratch_step;
    }
    if (way.bands == 1) course.step_scratch_bytes.push_back(scratch_bytes);
    if (edges[i] || !open) course.stretches.push_back({static_cast<int>(i), 0, 0, -1, 1, 0, {}});
    SegmentStretch& stretch = course.stretches.back();
    ++stretch.steps;
    stretch.seconds += seconds;
    course.seconds += seconds;
    open = !edges[i];
    if (!edges[i]) continue;
    stretch.node = step.node;
    stretch.slices = step.slices;
    stretch.turn = turn_in(way, step);
    stretch.channels = step.part.channels;
  }
  return course;
}

}  // namespace snug
