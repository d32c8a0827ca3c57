#include "plan/segment_plan.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "plan/cost_model.h"
#include "plan/reachable_rows.h"
#include "plan/segment_course.h"

namespace snug {
namespace {

// The walk of one segment; holds the plan under construction.
class Walk {
 public:
  Walk(const PhaseFacts& facts, const Segment& segment, const SegmentWay& way, PlanDetail detail)
      : facts_(facts), segment_(segment), detail_(detail) {
    plan_.way = way;
    for (int i = segment.first; i <= segment.last; ++i) {
      add_value(i);
      add_inputs(i);
    }
  }

  // What ran when, one for each step.
  const std::vector<BriefStep>& course() const { return course_; }
  std::vector<BriefStep> take_course() { return std::move(course_); }

  SegmentPlan run() {
    const Region& whole = node(segment_.first).whole;
    if (plan_.way.bands > 1) {  // or little more; growing would touch as much memory again
      course_.reserve(states_.size() * static_cast<size_t>(plan_.way.bands) *
                      static_cast<size_t>(segment_.by_heads ? 1 : whole.images.size()));
    }
    if (plan_.way.bands == 1) {
      for (int i = segment_.first; i <= segment_.last; ++i) run_whole(i);
    } else if (segment_.by_heads) {
      for (int band = 0; band < plan_.way.bands; ++band) {
        begin_turn(band);
        run_heads(band);
      }
    } else {
      const Interval images = whole.images;
      for (int64_t image = images.begin; image < images.end; ++image) {
        for (State& state : states_) state = {};
        for (int band = 0; band < plan_.way.bands; ++band) {
          begin_turn(static_cast<int>(image - images.begin) * plan_.way.bands + band);
          run_band(image, band);
        }
      }
    }
    if (plan_.way.bands > 1) {
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
    int64_t advance = 0;  // of the last band, where the segment goes forward
  };

  const NodeFacts& node(int position) const { return facts_.nodes[static_cast<size_t>(position)]; }
  bool inside(int position) const { return position >= segment_.first && position <= segment_.last; }
  size_t local(int position) const { return static_cast<size_t>(position - segment_.first); }
  int producer(ValueId id) const { return facts_.value_of(id).producer; }
  ValueId root(ValueId id) const { return facts_.root[static_cast<size_t>(id)]; }

  struct LocalInput {
    size_t input;
    int made_at;
  };

  void begin_turn(int turn) { turn_ = turn + 1; }

  void add_inputs(int position) {
    const NodeFacts& at = node(position);
    std::vector<LocalInput>& own = local_inputs_.emplace_back();
    std::vector<size_t>& reads = outside_reads_.emplace_back();
    for (size_t i = 0; i < at.inputs.size(); ++i) {
      if (!facts_.is_activation(at, i)) continue;
      if (inside(producer(at.inputs[i]))) {
        own.push_back({i, producer(at.inputs[i])});
        continue;
      }
      const ValueId id = root(at.inputs[i]);
      const auto known = std::find_if(plan_.read.begin(), plan_.read.end(),
                                      [&](const auto& read) { return read.first == id; });
      reads.push_back(static_cast<size_t>(known - plan_.read.begin()));
      if (known == plan_.read.end()) plan_.read.emplace_back(id, -1);
    }
  }

  void add_value(int position) {
    const ValueId id = node(position).output;
    const ValueFacts& value = facts_.value_of(id);
    SegmentValue made{id, value.bytes};
    const bool leaves = value.is_output || value.readers.empty() || !inside(value.last_reader());
    made.rolling = plan_.way.bands > 1 && (!leaves || value.is_streamed);
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
      const bool banded_clash = plan_.way.bands > 1 && (here > 1 || inside(value.producer));
      if (!other && !banded_clash) return id;
    }
    return kNoValue;
  }

  // The value behind whose reading `id` can be written into the same bytes: what is still to be read of it
  // always lies beyond what is already written.
  ValueId followed(ValueId id) const {
    ValueId best = kNoValue;
    for (const auto& [candidate, last] : plan_.read) {
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
    for (const BriefStep& step : course_) {
      if (step.node < 0) continue;
      const NodeFacts& at = node(segment_.first + step.node);
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
    const uint64_t bytes = at.weight_bytes;
    const uint64_t slice_bytes = plan_.way.slice_bytes;
    const int64_t channels = at.whole.channels.size();
    int64_t slice_channels = channels;
    if (bytes > slice_bytes && at.kernel->splits_channels) {
      const int64_t multiple = std::max<int64_t>(1, at.kernel->channel_step);
      const auto slices = static_cast<int64_t>((bytes + slice_bytes - 1) / slice_bytes);
      slice_channels = std::min(channels, std::max<int64_t>(1, channels / slices / multiple) * multiple);
    }
    const auto slices = static_cast<int>((channels + slice_channels - 1) / slice_channels);
    Region part = at.whole;
    for (int slice = 0; slice < slices; ++slice) {
      const int64_t begin = slice * slice_channels;
      part.channels = {begin, std::min(channels, begin + slice_channels)};
      add_step(position, part, slice, slices);
    }
  }

  void run_band(int64_t image, int band) {
    if (segment_.forward) return run_forward(image, band);
    for (int i = segment_.last; i >= segment_.first; --i) want(i, image, band);
    for (int i = segment_.first; i <= segment_.last; ++i) {
      const State& state = states_[local(i)];
      if (state.wanted > state.done) run_rows(i, image, state.wanted);
    }
  }

  // Nodes that read nothing of the segment go on by a band, all others as far as they can behind them.
  void run_forward(int64_t image, int band) {
    for (int i = segment_.first; i <= segment_.last; ++i) {
      const NodeFacts& at = node(i);
      State& state = states_[local(i)];
      made_rows_.clear();
      for_each_local_input(i, [&](size_t input, int made_at) {
        made_rows_.push_back({input, states_[local(made_at)].done});
      });
      const int64_t pixels = at.whole.pixels.size(), step = at.pixel_step;
      const int64_t of_band = pixels * (band + 1) / plan_.way.bands;
      const int64_t reached = made_rows_.empty()
                                  ? std::min(pixels, (of_band + step - 1) / step * step)
                                  : reachable_pixel(at, image, state.done, state.advance, made_rows_);
      state.advance = reached - state.done;
      if (state.advance > 0) run_rows(i, image, reached);
    }
  }

  // How far node `position` must come in this band; tells those before it.
  void want(int position, int64_t image, int band) {
    const NodeFacts& at = node(position);
    State& state = states_[local(position)];
    const int64_t pixels = at.whole.pixels.size();
    if (!plan_.values[local(position)].rolling || facts_.value_of(at.output).is_streamed) {
      state.wanted = std::max(state.wanted, pixels * (band + 1) / plan_.way.bands);
    }
    state.wanted = std::min(pixels, (state.wanted + at.pixel_step - 1) / at.pixel_step * at.pixel_step);
    state.wanted = std::max(state.wanted, state.done);
    if (state.wanted == state.done) return;
    const Region part{{image, image + 1}, {state.done, state.wanted}, at.whole.channels};
    for_each_local_input(position, [&](size_t input, int made_at) {
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
    add_step(position, {{image, image + 1}, {state.done, wanted}, at.whole.channels});
    state.done = wanted;
    if (detail_ == PlanDetail::kBrief) return;
    SegmentStep& step = plan_.steps.back();
    if (value.rolling) step.output_held = {step.part.images, {state.base, state.done}, at.whole.channels};
    for_each_local_input(position, [&](size_t input, int made_at) {
      const State& made = states_[local(made_at)];
      const Interval channels = node(made_at).whole.channels;
      if (plan_.values[local(made_at)].rolling) {
        step.input_held[input] = {step.part.images, {made.base, made.done}, channels};
      }
    });
  }

  // One group of heads through all nodes: the same channels of each.
  void run_heads(int band) {
    const int64_t groups = segment_.most_bands;
    const Interval all = node(segment_.last).whole.channels;
    const auto channel = [&](int64_t at) {
      return std::min(all.end, at * groups / plan_.way.bands * segment_.group_channels);
    };
    const Interval channels{channel(band), channel(band + 1)};
    for (int i = segment_.first; i <= segment_.last; ++i) {
      const NodeFacts& at = node(i);
      SegmentValue& value = plan_.values[local(i)];
      const Region part{at.whole.images, at.whole.pixels, channels};
      add_step(i, part, band, plan_.way.bands);
      if (value.rolling) {
        const int64_t pixels = at.whole.images.size() * at.whole.pixels.size();
        const int64_t pixel_bytes = bytes_of(at.spec.output.dtype, channels.size());
        value.bytes = std::max(value.bytes, static_cast<uint64_t>(pixels * pixel_bytes));
      }
      if (detail_ == PlanDetail::kBrief) continue;
      SegmentStep& step = plan_.steps.back();
      if (value.rolling) step.output_held = part;
      for_each_local_input(i, [&](size_t input, int made_at) {
        const Region whole = node(made_at).whole;
        step.input_held[input] = {whole.images, whole.pixels, channels};
      });
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
      for_each_local_input(reader, [&](size_t input, int made_at) {
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
      course_.push_back({-1, 1, 0, turn_, move.move_bytes, {}});
      if (detail_ == PlanDetail::kSteps) plan_.steps.push_back(std::move(move));
    }
    state.base = keep;
  }

  template <typename Use>
  void for_each_local_input(int position, Use use) {
    for (const LocalInput& own : local_inputs_[local(position)]) use(own.input, own.made_at);
  }

  // A run of a kernel; for a plan in steps, with what is held of its operands.
  void add_step(int position, const Region& part, int slice = 0, int slices = 1) {
    const auto number = static_cast<int>(course_.size());
    course_.push_back({position - segment_.first, slices, slice, turn_, 0, part});
    SegmentValue& made = plan_.values[local(position)];
    if (made.first_step < 0) made.first_step = number;
    made.last_step = number;
    for_each_local_input(position,
                         [&](size_t, int made_at) { plan_.values[local(made_at)].last_step = number; });
    for (const size_t read : outside_reads_[local(position)]) plan_.read[read].second = number;
    if (detail_ == PlanDetail::kSteps) {
      plan_.steps.push_back(
          {position, part, slice, slices, plan_.way.rereads ? turn_ : 0, {}, {}, kNoValue, 0, 0});
      plan_.steps.back().input_held.resize(node(position).inputs.size());
    }
  }

  const PhaseFacts& facts_;
  const Segment& segment_;
  PlanDetail detail_;
  SegmentPlan plan_;
  std::vector<BriefStep> course_;
  int turn_ = 0;
  std::vector<State> states_;
  std::vector<MadeRows> made_rows_;  // of a node's inputs
  // By node of the segment: what it reads that was made here, and which of the plan's values from before.
  std::vector<std::vector<LocalInput>> local_inputs_;
  std::vector<std::vector<size_t>> outside_reads_;
};

}  // namespace

SegmentPlan plan_segment(const PhaseFacts& facts, const Segment& segment, const SegmentWay& way,
                         const Rates& rates, PlanDetail detail, std::vector<BriefStep>* kept) {
  SNUG_CHECK(way.bands >= 1 && way.bands <= segment.most_bands, "no more bands than the segment has");
  Walk walk(facts, segment, way, detail);
  SegmentPlan plan = walk.run();
  plan.course = std::make_shared<SegmentPlan::Course>(course_of(facts, segment, way, walk.course(), rates));
  if (kept != nullptr) *kept = walk.take_course();
  return plan;
}

SegmentPlan plan_rereading(const PhaseFacts& facts, const Segment& segment, const SegmentPlan& plan,
                           const std::vector<BriefStep>& steps, const Rates& rates) {
  SegmentPlan rereading = plan;
  rereading.way.rereads = true;
  rereading.course =
      std::make_shared<SegmentPlan::Course>(course_of(facts, segment, rereading.way, steps, rates));
  return rereading;
}

SegmentPlan plan_alike(const PhaseFacts& facts, const Segment& segment, const PhaseFacts& other_facts,
                       const Segment& other, const SegmentPlan& plan) {
  std::map<ValueId, ValueId> own;  // by the other's
  const auto root_in = [](const PhaseFacts& in, ValueId id) { return in.root[static_cast<size_t>(id)]; };
  for (int i = 0; i <= segment.last - segment.first; ++i) {
    const NodeFacts& from = other_facts.nodes[static_cast<size_t>(other.first) + static_cast<size_t>(i)];
    const NodeFacts& to = facts.nodes[static_cast<size_t>(segment.first) + static_cast<size_t>(i)];
    own[from.output] = to.output;
    for (size_t input = 0; input < from.inputs.size(); ++input) {
      if (!other_facts.is_activation(from, input)) continue;
      own[root_in(other_facts, from.inputs[input])] = root_in(facts, to.inputs[input]);
    }
  }
  SegmentPlan alike;
  alike.way = plan.way;
  alike.course = plan.course;
  alike.values = plan.values;
  alike.read = plan.read;
  for (SegmentValue& value : alike.values) {
    value.id = own.at(value.id);
    if (value.overwrites != kNoValue) value.overwrites = own.at(value.overwrites);
  }
  for (auto& [id, step] : alike.read) id = own.at(id);
  return alike;
}

uint64_t most_live_bytes(const PhaseFacts& facts, const Segment& segment, const SegmentPlan& plan,
                         const std::vector<uint64_t>& home_bytes) {
  // Bytes that begin to live at a step, and those that no longer live at one.
  std::vector<std::pair<int, int64_t>> changes;
  const auto live = [&](uint64_t bytes, int first, int last) {
    changes.emplace_back(first, static_cast<int64_t>(bytes));
    changes.emplace_back(last + 1, -static_cast<int64_t>(bytes));
  };
  const int end = plan.course->steps - 1;
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
  const std::vector<uint64_t>& scratch_bytes = plan.course->step_scratch_bytes;
  for (size_t i = 0; i < scratch_bytes.size(); ++i) {
    if (scratch_bytes[i] > 0) live(scratch_bytes[i], static_cast<int>(i), static_cast<int>(i));
  }
  std::sort(changes.begin(), changes.end());  // at the same step, what goes before what comes
  int64_t now = 0, most = 0;
  for (const auto& [step, change] : changes) most = std::max(most, now += change);
  return static_cast<uint64_t>(most) + (plan.bands() > 1 ? plan.course->shared_scratch_bytes : 0);
}

}  // namespace snug
