#include "plan/segments.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

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

// A row of the value that has most; those with fewer do not run in every band.
int most_bands(const PhaseFacts& facts, const Segment& segment) {
  int64_t bands = 1;
  for (int i = segment.first; i <= segment.last; ++i) {
    const NodeFacts& node = facts.nodes[static_cast<size_t>(i)];
    bands = std::max(bands, steps_of(node) * node.kernel->pixel_multiple);
  }
  return static_cast<int>(std::min<int64_t>(bands, 4096));
}

// Bands of a frame: what lives but for a band is a part of a frame then, and the calls of kernels that it
// takes cost nothing that could be measured as long as a band has some rows.
constexpr int64_t kBandsOfFrame = 4, kFewestRows = 16;
// Bands so many times finer are the finest. They are counted by frame, too, so that the smallest memory is
// that of a short clip. Still finer ones save some hundredths more, for twice the instructions and the time
// to plan them.
constexpr int kFinestBands = 4;

// Of the segment that makes a streamed output.
void set_bands_by_frame(const PhaseFacts& facts, std::vector<Segment>& segments) {
  for (Segment& segment : segments) {
    const auto output_of = [&](int position) { return facts.nodes[static_cast<size_t>(position)].output; };
    const ValueId output = output_of(segment.last);
    if (!facts.value_of(output).is_streamed || segment.by_heads) continue;
    const Shape& first = facts.graph->value(output_of(segment.first)).shape;
    const Shape& last = facts.graph->value(output).shape;
    if (last.rank() != 5) continue;
    segment.forward = first.rank() == 5 && first[2] * first[3] * first[4] > last[2] * last[3] * last[4];
    const Shape& longer = segment.forward ? first : last;
    const int64_t bands_of_frame = std::clamp<int64_t>(longer[3] / kFewestRows, 1, kBandsOfFrame);
    segment.least_bands = static_cast<int>(std::min<int64_t>(segment.most_bands, bands_of_frame * longer[2]));
    segment.most_bands = std::min(segment.most_bands, kFinestBands * segment.least_bands);
  }
}

// Takes the nodes from `first` on out of the segments found so far.
void leave(const PhaseFacts& facts, int first, std::vector<Segment>& segments) {
  while (!segments.empty() && segments.back().first >= first) segments.pop_back();
  if (segments.empty() || segments.back().last < first) return;
  segments.back().last = first - 1;
  if (segments.back().most_bands > 1) segments.back().most_bands = most_bands(facts, segments.back());
}

// With fewer groups of heads than this, running by rows needs less.
constexpr int64_t kFewestGroups = 3;

// The self-attention at `position` with the products before it, when they can run by groups of heads.
Segment heads_segment(const PhaseFacts& facts, int position) {
  constexpr int kProducts = 3;
  Segment segment{position - kProducts, position, 1, true, 0};
  const NodeFacts& attention = facts.nodes[static_cast<size_t>(position)];
  if (attention.spec.op != Op::kAttention || !attention.kernel->splits_channels || segment.first < 0)
    return {};
  const int64_t heads = std::get<AttentionAttrs>(attention.spec.attrs).heads;
  const int64_t head_channels = attention.whole.channels.size() / heads;
  int64_t step = std::lcm(head_channels, attention.kernel->channel_step);
  for (size_t i = 0; i < kProducts; ++i) {
    const ValueFacts& value = facts.value_of(attention.inputs[i]);
    if (value.producer < segment.first || value.readers.size() != 1 || value.is_output) return {};
    const NodeFacts& product = facts.nodes[static_cast<size_t>(value.producer)];
    // Values may be wider than keys; then a group is not the same channels of all.
    if (!product.kernel->splits_channels || product.whole.channels != attention.whole.channels) return {};
    step = std::lcm(step, product.kernel->channel_step);
  }
  const int64_t groups = (attention.whole.channels.size() + step - 1) / step;
  if (groups < kFewestGroups) return {};
  segment.group_channels = step;
  segment.most_bands = static_cast<int>(groups);
  return segment;
}

}  // namespace

std::vector<Segment> find_segments(const PhaseFacts& facts) {
  std::vector<Segment> segments;
  bool open = false;
  for (int i = 0; i < static_cast<int>(facts.nodes.size()); ++i) {
    const NodeFacts& node = facts.nodes[static_cast<size_t>(i)];
    if (const Segment heads = heads_segment(facts, i); heads.by_heads) {
      leave(facts, heads.first, segments);
      segments.push_back(heads);
      open = false;
      continue;
    }
    const bool bandable = can_band(node);
    if (open && bandable && joins(facts, segments.back(), i)) {
      segments.back().last = i;
    } else {
      segments.push_back({i, i, 1});
    }
    open = bandable;
    if (bandable) segments.back().most_bands = most_bands(facts, segments.back());
  }
  set_bands_by_frame(facts, segments);
  return segments;
}

std::string signature_of(const PhaseFacts& facts, const Segment& segment) {
  std::string signature = fmt::format("{}{}:{}",
                                      segment.by_heads  ? 'h'
                                      : segment.forward ? 'f'
                                                        : 'p',
                                      segment.least_bands, segment.most_bands);
  std::vector<ValueId> outside;  // values from before, as they are first read
  for (int i = segment.first; i <= segment.last; ++i) {
    const NodeFacts& node = facts.nodes[static_cast<size_t>(i)];
    const ValueFacts& made = facts.value_of(node.output);
    const bool stays = made.is_output || made.last_reader() > segment.last;
    signature += fmt::format("|{}{}", node.kernel->kernel, stays ? 's' : 'd');
    for (size_t input = 0; input < node.inputs.size(); ++input) {
      if (!facts.is_activation(node, input)) continue;
      const ValueFacts& read = facts.value_of(node.inputs[input]);
      // Made here: by which node. Made before: what it is, and whether it may be overwritten or dies.
      if (read.producer >= segment.first) {
        signature += fmt::format(",{}", read.producer - segment.first);
      } else {
        const ValueId root = facts.root[static_cast<size_t>(node.inputs[input])];
        const auto known = std::find(outside.begin(), outside.end(), root);
        const auto number = known - outside.begin();
        if (known == outside.end()) outside.push_back(root);
        signature += fmt::format(
            ",#{}:{}{}{}", number, read.bytes, read.producer < 0 ? 'i' : 'v',
            read.is_output || read.last_reader() > segment.last ? 0 : read.last_reader() - segment.first + 1);
      }
    }
  }
  return signature;
}

}  // namespace snug
