#include "plan/segments.h"

#include <algorithm>

namespace snug {
namespace {

// Rows, in the sense of its pixel_step, of one image of the node's output.
int64_t steps_of(const NodeFacts& node) {
  return (node.whole.pixels.size() + node.pixel_step - 1) / node.pixel_step;
}

bool can_band(const NodeFacts& node) { return node.kernel->splits_pixels && steps_of(node) > 1; }

// Whether a few pixels of the node's output need but a few of the input's.
bool reads_locally(const PhaseFacts& facts, const NodeFacts& node, size_t input) {
  const ValueId id = node.inputs[input];
  const Region seen = whole_region(facts.graph->value(id).shape);
  const ValueFacts& value = facts.value_of(id);
  if (!(seen == value.whole)) return false;  // a view that cuts the bytes in another way
  if (seen.images.size() != node.whole.images.size()) return false;
  Region first = node.whole;
  first.images = {0, 1};
  first.pixels = {0, node.pixel_step};
  const Region need =
      input_region(node.spec.op, node.spec.attrs, node.spec.operands, node.spec.output, input, first);
  return need.pixels.size() < seen.pixels.size() && need.images.size() == 1;
}

bool joins(const PhaseFacts& facts, const Segment& segment, int position) {
  const NodeFacts& node = facts.nodes[static_cast<size_t>(position)];
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!facts.is_activation(node, i)) continue;
    if (facts.value_of(node.inputs[i]).producer >= segment.first && !reads_locally(facts, node, i)) {
      return false;
    }
  }
  // Nodes of one segment go through the same images.
  return facts.nodes[static_cast<size_t>(segment.first)].whole.images == node.whole.images;
}

}  // namespace

std::vector<Segment> find_segments(const PhaseFacts& facts) {
  std::vector<Segment> segments;
  bool open = false;
  for (int i = 0; i < static_cast<int>(facts.nodes.size()); ++i) {
    const NodeFacts& node = facts.nodes[static_cast<size_t>(i)];
    const bool bandable = can_band(node);
    if (open && bandable && joins(facts, segments.back(), i)) {
      segments.back().last = i;
    } else {
      segments.push_back({i, i, 1});
    }
    open = bandable;
    if (!bandable) continue;
    Segment& segment = segments.back();
    const auto steps = static_cast<int>(std::min<int64_t>(steps_of(node), 4096));
    segment.most_bands = segment.first == i ? steps : std::min(segment.most_bands, steps);
  }
  return segments;
}

}  // namespace snug
