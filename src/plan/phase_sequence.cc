#include "plan/phase_sequence.h"

#include <algorithm>

#include "plan/cost_model.h"

namespace snug {
namespace {

class Sequencer {
 public:
  Sequencer(const PhaseFacts& facts, const SegmentPlans& plans, const Rates& rates)
      : facts_(facts), plans_(plans), rates_(rates) {}

  // For what the segments bring.
  void reserve() {
    size_t stretches = 0;
    for (const auto& plan : plans_) stretches += plan->course->stretches.size();
    sequence.steps.reserve(stretches);
    sequence.seconds.reserve(stretches);
    sequence.uses.reserve(2 * stretches);  // a weight and a bias
  }

  void add_segment(int number, int first_node) {
    const SegmentPlan& plan = *plans_[static_cast<size_t>(number)];
    for (const SegmentStretch& stretch : plan.course->stretches) {
      add({SequenceStep::Kind::kStretch, number, stretch.first_step, stretch.steps, kNoValue},
          stretch.seconds);
      if (stretch.node < 0) continue;
      const NodeFacts& node =
          facts_.nodes[static_cast<size_t>(first_node) + static_cast<size_t>(stretch.node)];
      add_weight_uses(node, stretch.channels, stretch.slices, stretch.turn,
                      static_cast<int>(sequence.steps.size()) - 1, sequence.uses);
    }
  }

  void add_transfer(SequenceStep::Kind kind, int segment, ValueId value) {
    const auto bytes = static_cast<double>(facts_.value_of(value).bytes);
    add({kind, segment, 0, 1, value}, bytes / rates_.spill_bytes);
    if (kind == SequenceStep::Kind::kSpill) sequence.spilled_bytes += facts_.value_of(value).bytes;
  }

  PhaseSequence sequence;

 private:
  void add(SequenceStep step, double seconds) {
    sequence.steps.push_back(step);
    sequence.seconds.push_back(seconds);
  }

  const PhaseFacts& facts_;
  const SegmentPlans& plans_;
  const Rates& rates_;
};

struct Transfer {
  SequenceStep::Kind kind;
  ValueId value;
};

}  // namespace

void add_weight_uses(const NodeFacts& node, const Interval& channels, int slices, int turn, int instruction,
                     std::vector<WeightUse>& uses) {
  Region part = node.whole;
  part.channels = channels;
  for (const NodeWeight& weight : node.weights) {
    Interval rows{0, weight.rows};
    // Vectors come whole: they are small, and slicing them would only make more pieces.
    if (slices > 1 && !weight.is_vector) {
      rows = input_region(node.spec.op, node.spec.attrs, node.spec.operands, node.spec.output, weight.input,
                          part)
                 .channels;
    }
    uses.push_back({&weight, rows, weight.bytes <= kSmallWeightBytes ? 0 : turn, instruction});
  }
}

std::vector<int> segment_of_nodes(const PhaseFacts& facts, const std::vector<Segment>& segments) {
  std::vector<int> of(facts.nodes.size(), 0);
  for (size_t s = 0; s < segments.size(); ++s) {
    for (int i = segments[s].first; i <= segments[s].last; ++i)
      of[static_cast<size_t>(i)] = static_cast<int>(s);
  }
  return of;
}

std::vector<Stay> stays_of(const PhaseFacts& facts, const std::vector<int>& segment_of, ValueId id,
                           bool spilled) {
  const ValueFacts& value = facts.values[static_cast<size_t>(id)];
  const int made = value.producer < 0 ? 0 : segment_of[static_cast<size_t>(value.producer)];
  std::vector<Stay> stays = {{made, made}};
  for (const int reader : value.readers) {
    const int segment = segment_of[static_cast<size_t>(reader)];
    if (!spilled || segment <= stays.back().last + 1) {
      stays.back().last = segment;
    } else {
      stays.push_back({segment, segment});
    }
  }
  if (value.is_output && !segment_of.empty()) stays.back().last = segment_of.back();
  return stays;
}

std::vector<uint64_t> home_bytes_of(const PhaseFacts& facts, const SegmentPlans& plans) {
  std::vector<uint64_t> bytes(facts.values.size());
  for (size_t id = 0; id < bytes.size(); ++id) bytes[id] = facts.values[id].bytes;
  for (const auto& plan : plans) {
    for (const SegmentValue& value : plan->values) {
      if (value.overwrites != kNoValue) {
        bytes[static_cast<size_t>(value.id)] = bytes[static_cast<size_t>(value.overwrites)];
      }
    }
  }
  return bytes;
}

std::vector<uint64_t> passing_bytes(const PhaseFacts& facts, const std::vector<Segment>& segments,
                                    const SegmentPlans& plans, const std::vector<uint64_t>& home_bytes,
                                    const std::vector<bool>& spilled, const std::vector<bool>& linked) {
  const std::vector<int> segment_of = segment_of_nodes(facts, segments);
  std::vector<int64_t> change(segments.size() + 1, 0);
  const auto count = [&](uint64_t bytes, int first, int last) {
    change[static_cast<size_t>(first)] += static_cast<int64_t>(bytes);
    change[static_cast<size_t>(last) + 1] -= static_cast<int64_t>(bytes);
  };
  for (size_t id = 0; id < facts.values.size(); ++id) {
    const ValueFacts& value = facts.values[id];
    const bool input = value.producer < 0 && !value.readers.empty();
    if (facts.root[id] != static_cast<ValueId>(id) || linked[id]) continue;
    if (value.producer < 0 && !input) continue;
    for (const Stay& stay : stays_of(facts, segment_of, static_cast<ValueId>(id), spilled[id])) {
      count(home_bytes[id], stay.first, stay.last);
    }
  }
  // What a segment makes or reads is counted with it, except the phase's inputs.
  for (size_t s = 0; s < segments.size(); ++s) {
    const auto at = static_cast<int>(s);
    for (const auto& [id, step] : plans[s]->read) {
      const ValueFacts& value = facts.value_of(id);
      if (value.producer >= 0) count(-home_bytes[static_cast<size_t>(id)], at, at);
    }
    for (const SegmentValue& made : plans[s]->values)
      count(-home_bytes[static_cast<size_t>(made.id)], at, at);
  }
  std::vector<uint64_t> bytes;
  int64_t now = 0;
  for (size_t s = 0; s < segments.size(); ++s) bytes.push_back(static_cast<uint64_t>(now += change[s]));
  return bytes;
}

PhaseSequence make_sequence(const PhaseFacts& facts, const std::vector<Segment>& segments,
                            const SegmentPlans& plans, const std::vector<bool>& spilled,
                            const std::vector<bool>& linked, const Rates& rates) {
  const std::vector<int> segment_of = segment_of_nodes(facts, segments);
  std::vector<std::vector<Transfer>> before(segments.size()), after(segments.size());
  for (size_t id = 0; id < spilled.size(); ++id) {
    if (!spilled[id]) continue;
    const auto value = static_cast<ValueId>(id);
    const std::vector<Stay> stays = stays_of(facts, segment_of, value, true);
    if (stays.size() < 2) continue;
    after[static_cast<size_t>(stays.front().last)].push_back({SequenceStep::Kind::kSpill, value});
    for (size_t i = 1; i < stays.size(); ++i) {
      before[static_cast<size_t>(stays[i].first)].push_back({SequenceStep::Kind::kRestore, value});
    }
  }
  Sequencer sequencer(facts, plans, rates);
  sequencer.reserve();
  const std::vector<uint64_t> home_bytes = home_bytes_of(facts, plans);
  const std::vector<uint64_t> passing = passing_bytes(facts, segments, plans, home_bytes, spilled, linked);
  for (size_t s = 0; s < segments.size(); ++s) {
    const auto at = static_cast<int>(s);
    for (const Transfer& transfer : before[s]) sequencer.add_transfer(transfer.kind, at, transfer.value);
    sequencer.add_segment(at, segments[s].first);
    for (const Transfer& transfer : after[s]) sequencer.add_transfer(transfer.kind, at, transfer.value);
    const uint64_t own = most_live_bytes(facts, segments[s], *plans[s], home_bytes);
    uint64_t& peak = sequencer.sequence.values_peak_bytes;
    peak = std::max(peak, passing[s] + own);
  }
  sequencer.sequence.values_peak_bytes += facts.packing_bytes;
  return std::move(sequencer.sequence);
}

}  // namespace snug
