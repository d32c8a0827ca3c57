#include "plan/segment_plan.h"

#include <algorithm>
#include <map>

#include "base/check.h"

namespace snug {
namespace {

Region need_of(const NodeFacts& node, size_t input, const Region& part) {
  return input_region(node.spec.op, node.spec.attrs, node.spec.operands, node.spec.output, input, part);
}

// The walk of one segment; holds the plan under construction.
class Walk {
 public:
  Walk(const PhaseFacts& facts, const Segment& segment, int bands, uint64_t slice_bytes)
      : facts_(facts), segment_(segment), slice_bytes_(slice_bytes) {
    plan_.bands = bands;
    for (int i = segment.first; i <= segment.last; ++i) add_value(i);
  }

  SegmentPlan run() {
    if (plan_.bands == 1) {
      for (int i = segment_.first; i <= segment_.last; ++i) run_whole(i);
    } else if (segment_.by_heads) {
      for (int band = 0; band < plan_.bands; ++band) run_heads(band);
    } else {
      const Interval images = node(segment_.first).whole.images;
      for (int64_t image = images.begin; image < images.end; ++image) {
        for (State& state : states_) state.base = state.done = 0;
        for (int band = 0; band < plan_.bands; ++band) run_band(image, band);
      }
    }
    for (const auto& [id, step] : last_read_) plan_.read.emplace_back(id, step);
    if (plan_.bands > 1) {
      for (SegmentValue& value : plan_.values) {
        if (!value.rolling && value.overwrites == kNoValue) value.overwrites = followed(value.id);
      }
    }
    return std::move(plan_);
  }

 private:
  // Progress through one image, by position in the segment.
  struct State {
    int64_t base = 0, done = 0;  // pixels [base, done) of a rolling buffer; done of a whole value
    int64_t wanted = 0;
  };

  const NodeFacts& node(int position) const { return facts_.nodes[static_cast<size_t>(position)]; }
  bool inside(int position) const { return position >= segment_.first && position <= segment_.last; }
  size_t local(int position) const { return static_cast<size_t>(position - segment_.first); }
  int producer(ValueId id) const { return facts_.value_of(id).producer; }
  ValueId root(ValueId id) const { return facts_.root[static_cast<size_t>(id)]; }

  void add_value(int position) {
    const ValueId id = node(position).output;
    const ValueFacts& value = facts_.value_of(id);
    SegmentValue made{id, value.bytes};
    const bool leaves = value.is_output || value.readers.empty() || !inside(value.last_reader());
    made.rolling = plan_.bands > 1 && (!leaves || value.is_streamed);
    made.first_step = -1;
    if (!made.rolling) made.overwrites = overwritten(position);
    if (made.rolling) made.bytes = 0;
    plan_.values.push_back(made);
    states_.emplace_back();
  }

  // The input whose place the node's output can take, or kNoValue.
  ValueId overwritten(int position) const {
    const NodeFacts& at = node(position);
    for (size_t i = 0; i < at.inputs.size(); ++i) {
      if (!facts_.is_activation(at, i) || !at.kernel->may_overwrite[i]) continue;
      const ValueId id = root(at.inputs[i]);
      const ValueFacts& value = facts_.value_of(id);
      if (value.producer < 0 || value.is_output || value.last_reader() != position) continue;
      if (!(value.whole == at.whole) || value.bytes != facts_.value_of(at.output).bytes) continue;
      // Other inputs may be read beside the pixel that is written.
      bool other = false;
      for (size_t j = 0; j < at.inputs.size(); ++j) {
        other = other || (j != i && facts_.is_activation(at, j) && root(at.inputs[j]) == id);
      }
      // In bands, others of the segment come back to it after this node has written.
      const auto here = std::count_if(value.readers.begin(), value.readers.end(),
                                      [&](int reader) { return inside(reader); });
      const bool banded_clash = plan_.bands > 1 && (here > 1 || inside(value.producer));
      if (!other && !banded_clash) return id;
    }
    return kNoValue;
  }

  // The value behind whose reading `id` can be written into the same bytes: what is still to be read of it
  // always lies beyond what is already written.
  ValueId followed(ValueId id) const {
    ValueId best = kNoValue;
    for (const auto& [candidate, last] : last_read_) {
      const ValueFacts& value = facts_.value_of(candidate);
      if (value.producer < 0 || value.is_output || !inside(value.last_reader())) continue;
      // A small value would keep a large buffer from others.
      const uint64_t bytes = facts_.value_of(id).bytes;
      if (value.bytes < bytes || value.bytes > 2 * bytes || !reading_stays_ahead(candidate, id)) continue;
      const bool taken =
          std::any_of(plan_.values.begin(), plan_.values.end(),
                      [&, other = candidate](const SegmentValue& v) { return v.overwrites == other; });
      if (!taken && (best == kNoValue || value.bytes < facts_.value_of(best).bytes)) best = candidate;
    }
    return best;
  }

  bool reading_stays_ahead(ValueId read, ValueId written) const {
    const auto byte_of = [&](ValueId id, int64_t image, int64_t pixel) {
      const ValueFacts& value = facts_.value_of(id);
      return (image * value.whole.pixels.size() + pixel) * static_cast<int64_t>(value.pixel_bytes);
    };
    int64_t written_end = 0;
    for (const SegmentStep& step : plan_.steps) {
      if (step.node < 0) continue;
      const NodeFacts& at = node(step.node);
      const int64_t image = step.part.images.begin;
      for (size_t i = 0; i < at.inputs.size(); ++i) {
        if (!facts_.is_activation(at, i) || root(at.inputs[i]) != read) continue;
        if (at.output == written) return false;
        if (byte_of(read, image, need_of(at, i, step.part).pixels.begin) < written_end) return false;
      }
      if (at.output == written) written_end = byte_of(written, image, step.part.pixels.end);
    }
    return true;
  }

  void run_whole(int position) {
    const NodeFacts& at = node(position);
    SegmentStep step;
    step.node = position;
    step.part = at.whole;
    const uint64_t bytes = weight_bytes(facts_, at);
    const int64_t channels = at.whole.channels.size();
    int64_t slice_channels = channels;
    if (bytes > slice_bytes_ && at.kernel->splits_channels) {
      const int64_t multiple = std::max<int64_t>(1, at.kernel->channel_step);
      const auto slices = static_cast<int64_t>((bytes + slice_bytes_ - 1) / slice_bytes_);
      slice_channels = std::min(channels, std::max<int64_t>(1, channels / slices / multiple) * multiple);
    }
    step.slices = static_cast<int>((channels + slice_channels - 1) / slice_channels);
    for (step.slice = 0; step.slice < step.slices; ++step.slice) {
      const int64_t begin = step.slice * slice_channels;
      step.part.channels = {begin, std::min(channels, begin + slice_channels)};
      add_step(step);
    }
  }

  void run_band(int64_t image, int band) {
    for (int i = segment_.last; i >= segment_.first; --i) want(i, image, band);
    for (int i = segment_.first; i <= segment_.last; ++i) {
      const State& state = states_[local(i)];
      if (state.wanted > state.done) run_rows(i, image, state.wanted);
    }
  }

  // How far node `position` must come in this band; tells those before it.
  void want(int position, int64_t image, int band) {
    const NodeFacts& at = node(position);
    State& state = states_[local(position)];
    const int64_t pixels = at.whole.pixels.size();
    if (!plan_.values[local(position)].rolling || facts_.value_of(at.output).is_streamed) {
      state.wanted = std::max(state.wanted, pixels * (band + 1) / plan_.bands);
    }
    state.wanted = std::min(pixels, (state.wanted + at.pixel_step - 1) / at.pixel_step * at.pixel_step);
    state.wanted = std::max(state.wanted, state.done);
    if (state.wanted == state.done) return;
    const Region part{{image, image + 1}, {state.done, state.wanted}, at.whole.channels};
    for_each_local_input(at, [&](size_t input, int made_at) {
      State& made = states_[local(made_at)];
      made.wanted = std::max(made.wanted, need_of(at, input, part).pixels.end);
    });
  }

  void run_rows(int position, int64_t image, int64_t wanted) {
    const NodeFacts& at = node(position);
    State& state = states_[local(position)];
    SegmentValue& value = plan_.values[local(position)];
    if (value.rolling) {
      drop_read_rows(position, image);
      const auto held = static_cast<uint64_t>(wanted - state.base);
      value.bytes = std::max(value.bytes, held * facts_.value_of(at.output).pixel_bytes);
    }
    SegmentStep step;
    step.node = position;
    step.part = {{image, image + 1}, {state.done, wanted}, at.whole.channels};
    state.done = wanted;
    if (value.rolling) step.output_held = {step.part.images, {state.base, state.done}, at.whole.channels};
    step.input_held.resize(at.inputs.size());
    for_each_local_input(at, [&](size_t input, int made_at) {
      const State& made = states_[local(made_at)];
      const Interval channels = node(made_at).whole.channels;
      if (plan_.values[local(made_at)].rolling) {
        step.input_held[input] = {step.part.images, {made.base, made.done}, channels};
      }
    });
    add_step(step);
  }

  // One group of heads through all nodes: the same channels of each.
  void run_heads(int band) {
    const int64_t groups = segment_.most_bands;
    const Interval all = node(segment_.last).whole.channels;
    const auto channel = [&](int64_t at) {
      return std::min(all.end, at * groups / plan_.bands * segment_.group_channels);
    };
    const Interval channels{channel(band), channel(band + 1)};
    for (int i = segment_.first; i <= segment_.last; ++i) {
      const NodeFacts& at = node(i);
      SegmentValue& value = plan_.values[local(i)];
      SegmentStep step;
      step.node = i;
      step.part = {at.whole.images, at.whole.pixels, channels};
      step.slice = band;
      step.slices = plan_.bands;
      step.input_held.resize(at.inputs.size());
      if (value.rolling) {
        step.output_held = step.part;
        const int64_t pixels = at.whole.images.size() * at.whole.pixels.size();
        const int64_t pixel_bytes = bytes_of(at.spec.output.dtype, channels.size());
        value.bytes = std::max(value.bytes, static_cast<uint64_t>(pixels * pixel_bytes));
      }
      for_each_local_input(at, [&](size_t input, int made_at) {
        const Region whole = node(made_at).whole;
        step.input_held[input] = {whole.images, whole.pixels, channels};
      });
      add_step(step);
    }
  }

  // Moves what is still needed of a rolling buffer to its front.
  void drop_read_rows(int position, int64_t image) {
    const NodeFacts& at = node(position);
    State& state = states_[local(position)];
    int64_t keep = state.done;
    for (const int reader : facts_.value_of(at.output).readers) {
      const NodeFacts& reading = node(reader);
      const int64_t done = states_[local(reader)].done, pixels = reading.whole.pixels.size();
      if (done >= pixels) continue;
      const Region next{
          {image, image + 1}, {done, std::min(pixels, done + reading.pixel_step)}, reading.whole.channels};
      for_each_local_input(reading, [&](size_t input, int made_at) {
        if (made_at == position) keep = std::min(keep, need_of(reading, input, next).pixels.begin);
      });
    }
    if (keep <= state.base) return;
    const uint64_t pixel_bytes = facts_.value_of(at.output).pixel_bytes;
    if (keep < state.done) {
      SegmentStep move;
      move.moved = at.output;
      move.move_from = static_cast<uint64_t>(keep - state.base) * pixel_bytes;
      move.move_bytes = static_cast<uint64_t>(state.done - keep) * pixel_bytes;
      plan_.steps.push_back(move);
    }
    state.base = keep;
  }

  template <typename Use>
  void for_each_local_input(const NodeFacts& at, Use use) {
    for (size_t i = 0; i < at.inputs.size(); ++i) {
      if (facts_.is_activation(at, i) && inside(producer(at.inputs[i]))) use(i, producer(at.inputs[i]));
    }
  }

  void add_step(const SegmentStep& step) {
    const NodeFacts& at = node(step.node);
    const int number = static_cast<int>(plan_.steps.size());
    SegmentValue& made = plan_.values[local(step.node)];
    if (made.first_step < 0) made.first_step = number;
    made.last_step = number;
    for (size_t i = 0; i < at.inputs.size(); ++i) {
      if (!facts_.is_activation(at, i)) continue;
      const int from = producer(at.inputs[i]);
      if (inside(from)) {
        plan_.values[local(from)].last_step = number;
      } else {
        last_read_[root(at.inputs[i])] = number;
      }
    }
    plan_.steps.push_back(step);
    if (plan_.steps.back().input_held.empty()) plan_.steps.back().input_held.resize(at.inputs.size());
  }

  const PhaseFacts& facts_;
  const Segment& segment_;
  uint64_t slice_bytes_;
  SegmentPlan plan_;
  std::vector<State> states_;
  std::map<ValueId, int> last_read_;
};

}  // namespace

SegmentPlan plan_segment(const PhaseFacts& facts, const Segment& segment, int bands, uint64_t slice_bytes) {
  SNUG_CHECK(bands >= 1 && bands <= segment.most_bands, "no more bands than the segment has");
  return Walk(facts, segment, bands, slice_bytes).run();
}

uint64_t scratch_bytes(const PhaseFacts& facts, const SegmentStep& step) {
  return step.node < 0 ? 0 : facts.nodes[static_cast<size_t>(step.node)].kernel->scratch_bytes;
}

uint64_t shared_scratch_bytes(const PhaseFacts& facts, const SegmentPlan& plan) {
  uint64_t bytes = 0;
  for (const SegmentStep& step : plan.steps) bytes = std::max(bytes, scratch_bytes(facts, step));
  return bytes;
}

std::vector<uint64_t> live_bytes(const PhaseFacts& facts, const Segment& segment, const SegmentPlan& plan,
                                 const std::vector<uint64_t>& home_bytes) {
  std::vector<int64_t> change(plan.steps.size() + 1, 0);
  const auto live = [&](uint64_t bytes, int first, int last) {
    change[static_cast<size_t>(first)] += static_cast<int64_t>(bytes);
    change[static_cast<size_t>(last) + 1] -= static_cast<int64_t>(bytes);
  };
  const int end = static_cast<int>(plan.steps.size()) - 1;
  std::map<ValueId, const SegmentValue*> overwriter;
  for (const SegmentValue& value : plan.values) {
    if (value.overwrites != kNoValue) overwriter[value.overwrites] = &value;
  }
  // Last step that needs the bytes of a value, or of what overwrites it.
  const auto death = [&](ValueId id, int last_step) {
    for (auto next = overwriter.find(id); next != overwriter.end(); next = overwriter.find(id)) {
      id = next->second->id;
      last_step = next->second->last_step;
    }
    const ValueFacts& value = facts.value_of(id);
    return value.is_output || value.last_reader() > segment.last ? end : last_step;
  };
  for (const auto& [id, last] : plan.read) {
    const ValueFacts& value = facts.value_of(id);
    // Inputs of the phase are counted by the caller.
    if (value.producer >= 0) live(home_bytes[static_cast<size_t>(id)], 0, death(id, last));
  }
  for (const SegmentValue& value : plan.values) {
    if (value.overwrites == kNoValue) live(value.bytes, value.first_step, death(value.id, value.last_step));
  }
  const uint64_t shared = shared_scratch_bytes(facts, plan);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const int at = static_cast<int>(i);
    live(plan.bands > 1 ? shared : scratch_bytes(facts, plan.steps[i]), at, at);
  }
  std::vector<uint64_t> bytes;
  int64_t now = 0;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    now += change[i];
    bytes.push_back(static_cast<uint64_t>(now));
  }
  return bytes;
}

uint64_t weight_bytes(const PhaseFacts& facts, const NodeFacts& node) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue || !facts.is_weight(node.inputs[i])) continue;
    bytes += static_cast<uint64_t>(
        bytes_of(node.kernel->weight_dtypes[i], facts.graph->value(node.inputs[i]).shape.elements()));
  }
  return bytes;
}

}  // namespace snug
