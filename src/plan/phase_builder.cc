#include "plan/phase_builder.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/check.h"
#include "plan/cost_model.h"

namespace snug {
namespace {

class PhaseBuilder {
 public:
  PhaseBuilder(Plan& plan, const PhaseDesign& design, PlanDetail detail)
      : plan_(plan),
        design_(design),
        facts_(design.facts),
        choice_(design.choice),
        detail_(detail),
        homes_(design.facts.values.size()) {}

  PhaseOutputs build(int& next_instruction, const std::vector<PhaseOutputs>& earlier,
                     const std::vector<bool>& linked_later) {
    plan_.phases.emplace_back();
    Phase& phase = plan_.phases.back();
    phase_ = &phase;
    phase.name = design_.request.name;
    phase.stage = design_.request.stage;
    phase.part = design_.request.part;
    phase.calls = design_.request.calls;
    phase.passes = design_.way.passes;
    phase.first_instruction = start_ = next_instruction;
    int instructions = 0;
    for (const SequenceStep& step : choice_.sequence().steps) {
      first_instruction_.push_back(instructions);
      instructions += step.instructions;
    }
    first_instruction_.push_back(instructions);
    // A phase without instructions still has an instant of its own, for its inputs and outputs.
    next_instruction = start_ + std::max(1, instructions);
    plan_.plan_bytes += own_bytes(static_cast<size_t>(instructions));
    if (detail_ == PlanDetail::kSteps) phase.instructions.reserve(static_cast<size_t>(instructions));
    last_ = next_instruction - 1;
    describe();
    if (detail_ == PlanDetail::kSteps) describe_graph();
    place_inputs(design_.way, earlier);
    mark_outputs(linked_later);
    place_weights();
    add_steps();
    return finish_outputs();
  }

 private:
  // Of the phase's instructions and loads, as they lie in memory.
  uint64_t own_bytes(size_t instructions) const {
    constexpr size_t kHeapBytes = 16;  // that the allocator takes for each list of inputs
    size_t inputs = 0;
    for (const auto& plan : choice_.plans) inputs += plan->course->inputs;
    return instructions * (sizeof(Instruction) + kHeapBytes) + inputs * sizeof(Place) +
           choice_.loads->loads.size() * sizeof(Load);
  }

  void describe_graph() {
    phase_->graph = design_.way.graph;
    phase_->links = design_.way.links;
    const size_t nodes = phase_->graph.nodes().size();
    phase_->kernel_names.assign(nodes, {});
    phase_->declined.assign(nodes, {});
    for (const NodeFacts& node : facts_.nodes) {
      phase_->kernel_names[static_cast<size_t>(node.id)] = node.kernel->name;
      phase_->declined[static_cast<size_t>(node.id)] = node.kernel->declined;
    }
  }

  void describe() {
    for (const NodeFacts& node : facts_.nodes) {
      phase_->flops_per_run += node.flops;
      phase_->bytes_per_run += node.bytes;
    }
    phase_->first_run_seconds = choice_.times.first_run_seconds;
    phase_->later_run_seconds = choice_.times.later_run_seconds;
    PhaseMeasures& measures = phase_->measures;
    measures.passes = phase_->passes;
    measures.resident_bytes = choice_.loads->resident_bytes;
    measures.streamed_bytes = phase_->runs() > 1 ? choice_.loads->streamed_bytes : 0;
    measures.ring_bytes = choice_.ring_bytes;
    measures.spilled_bytes = choice_.sequence().spilled_bytes;
    std::vector<bool> sliced(facts_.nodes.size(), false);
    for (size_t s = 0; s < choice_.plans.size(); ++s) {
      const SegmentPlan& plan = *choice_.plans[s];
      if (plan.bands() > 1) measures.banded_nodes += static_cast<int>(plan.values.size());
      measures.most_bands = std::max(measures.most_bands, plan.bands());
      for (const SegmentStretch& stretch : plan.course->stretches) {
        const auto first = static_cast<size_t>(design_.segments[s].first);
        if (stretch.slices > 1) sliced[first + static_cast<size_t>(stretch.node)] = true;
      }
    }
    measures.sliced_nodes = static_cast<int>(std::count(sliced.begin(), sliced.end(), true));
  }

  int add_buffer(std::string name, BufferKind kind, uint64_t bytes, int first, int last) {
    plan_.buffers.push_back({std::move(name), kind, bytes, first, last, 0});
    return static_cast<int>(plan_.buffers.size() - 1);
  }
  Buffer& buffer(const Location& location) { return plan_.buffers[static_cast<size_t>(location.buffer)]; }
  void extend(const Location& location, int time) {
    buffer(location).last_use = std::max(buffer(location).last_use, time);
  }
  Location& home(ValueId id) { return homes_[static_cast<size_t>(facts_.root[static_cast<size_t>(id)])]; }

  void place_inputs(const PhaseWay& way, const std::vector<PhaseOutputs>& earlier) {
    for (const ValueId id : way.graph.inputs()) {
      const Value& value = way.graph.value(id);
      const auto link =
          std::find_if(way.links.begin(), way.links.end(), [&](const PhaseLink& l) { return l.input == id; });
      if (link == way.links.end()) {
        home(id) = {add_buffer(phase_->name + " " + value.name, BufferKind::kInput,
                               static_cast<uint64_t>(value.bytes()), start_, start_)};
        phase_->inputs.push_back({value.name, id, home(id)});
        continue;
      }
      Location place = earlier[static_cast<size_t>(link->source_phase)].places[link->source_output];
      place.pass_stride = place.call_stride = 0;
      const auto bytes = static_cast<uint64_t>(value.bytes());
      if (link->row_per_call) {
        place.call_stride = bytes;
      } else if (plan_.phases[static_cast<size_t>(link->source_phase)].passes > 1) {
        place.pass_stride = bytes;
      }
      buffer(place).kind = BufferKind::kHoisted;
      home(id) = place;
      // Read again in every run.
      if (phase_->runs() > 1) extend(place, last_);
    }
  }

  void mark_outputs(const std::vector<bool>& linked_later) {
    const std::vector<ValueId>& outputs = facts_.graph->outputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      const ValueId root = facts_.root[static_cast<size_t>(outputs[i])];
      if (phase_->passes > 1 && linked_later[i]) kept_of_each_pass_.insert(root);
    }
  }

  void place_weights() {
    int ring = -1;
    if (choice_.ring_bytes > 0) {
      ring =
          add_buffer(phase_->name + " weight ring", BufferKind::kStaging, choice_.ring_bytes, start_, last_);
    }
    int resident = -1;
    if (choice_.loads->resident_bytes > 0) {
      resident = add_buffer(phase_->name + " weights", BufferKind::kWeight, choice_.loads->resident_bytes,
                            start_, last_);
    }
    if (facts_.packing_bytes > 0) {
      phase_->packing_room_bytes = facts_.packing_bytes;
      phase_->packing_room = {add_buffer(phase_->name + " packing room", BufferKind::kStaging,
                                         facts_.packing_bytes, start_, last_)};
    }
    if (detail_ == PlanDetail::kBrief) return;
    std::vector<Load> loads = choice_.loads->loads;
    uint64_t offset = 0;
    for (size_t i = 0; i < loads.size(); ++i) {
      Load& load = loads[i];
      load.target.buffer = load.every_run ? ring : resident;
      if (!load.every_run) {
        load.target.offset = offset;
        offset += (load.bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
      }
      load.after = first_instruction_[static_cast<size_t>(load.after)];
      weights_[{load.value, load.dtype, load.rows.begin, load.rows.end, load.packing,
                choice_.loads->turns[i]}] = load.target;
    }
    phase_->loads = std::move(loads);
  }

  void add_steps() {
    int begun = -1;  // segment
    for (size_t i = 0; i < choice_.sequence().steps.size(); ++i) {
      const SequenceStep& step = choice_.sequence().steps[i];
      time_ = start_ + first_instruction_[i];
      switch (step.kind) {
        case SequenceStep::Kind::kStretch:
          if (step.segment != begun) begin_segment(begun = step.segment);
          if (detail_ == PlanDetail::kSteps) add_stretch(i, step);
          break;
        case SequenceStep::Kind::kSpill: add_spill(step.value); break;
        case SequenceStep::Kind::kRestore: add_restore(step.value); break;
      }
    }
  }

  // Places all that the segment makes, and holds what it reads, from `time_` on.
  void begin_segment(int number) {
    const SegmentPlan& plan = *choice_.plans[static_cast<size_t>(number)];
    for (const auto& [id, last_step] : plan.read) extend(home(id), time_ + last_step);
    for (const SegmentValue& made : plan.values) {
      // What is kept of each pass needs a place for each.
      const bool takes_place = made.overwrites != kNoValue && !kept_of_each_pass_.contains(made.id);
      home(made.id) = takes_place ? home(made.overwrites) : new_home(made);
      extend(home(made.id), time_ + made.last_step);
    }
    place_scratch(number, plan);
    if (detail_ == PlanDetail::kBrief) return;
    steps_ = plan_segment(facts_, design_.segments[static_cast<size_t>(number)], plan.way, design_.rates,
                          PlanDetail::kSteps);
    SNUG_CHECK(static_cast<int>(steps_.steps.size()) == plan.course->steps, "alike segments run alike");
  }

  // Of its own for a node that runs whole; in bands, one for all of the segment.
  void place_scratch(int number, const SegmentPlan& plan) {
    const NodeFacts& first =
        facts_.nodes[static_cast<size_t>(design_.segments[static_cast<size_t>(number)].first)];
    const std::string name = facts_.graph->value(first.output).name + " scratch";
    const std::vector<uint64_t>& own = plan.course->step_scratch_bytes;
    step_scratch_.assign(own.size(), {});
    for (size_t i = 0; i < own.size(); ++i) {
      const int at = time_ + static_cast<int>(i);
      if (own[i] > 0) step_scratch_[i] = {add_buffer(name, BufferKind::kScratch, own[i], at, at)};
    }
    shared_scratch_ = {};
    if (plan.bands() > 1 && plan.course->shared_scratch_bytes > 0) {
      shared_scratch_ = {add_buffer(name, BufferKind::kScratch, plan.course->shared_scratch_bytes,
                                    time_ + plan.course->first_scratch_step,
                                    time_ + plan.course->last_scratch_step)};
    }
  }

  void add_stretch(size_t index, const SequenceStep& stretch) {
    for (int i = 0; i < stretch.instructions; ++i) {
      const SegmentStep& step =
          steps_.steps[static_cast<size_t>(stretch.first_step) + static_cast<size_t>(i)];
      if (step.node < 0) {
        add_move(step);
      } else {
        add_run(index, step, stretch.first_step + i);
      }
    }
  }

  void add_run(size_t index, const SegmentStep& step, int number) {
    const NodeFacts& node = facts_.nodes[static_cast<size_t>(step.node)];
    RunKernel run;
    run.node = node.id;
    run.kernel = node.kernel->kernel;
    run.part = step.part;
    run.predicted_seconds = predict_seconds(node, step.part, design_.rates);
    run.loads_needed = choice_.loads->loads_needed[index];
    run.inputs.resize(node.inputs.size());
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (facts_.is_activation(node, i)) run.inputs[i] = input_place(node.inputs[i], step, i);
    }
    uses_.clear();
    add_weight_uses(node, step.part.channels, step.slices, step.turn, number, uses_);
    for (const WeightUse& use : uses_) {
      const NodeWeight& weight = *use.weight;
      const Location place =
          weights_.at({weight.value, weight.dtype, use.rows.begin, use.rows.end, weight.packing, use.turn});
      run.inputs[weight.input] = {place, {{0, 1}, {0, 1}, use.rows}};
    }
    run.output = {home(node.output), step.output_held.elements() > 0 ? step.output_held : node.whole};
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool there = facts_.is_activation(node, i) && node.kernel->may_overwrite[i];
      if (there && run.inputs[i].location == run.output.location) run.overwrites = static_cast<int>(i);
    }
    run.scratch_bytes = node.kernel->scratch_bytes;
    if (run.scratch_bytes > 0) {
      run.scratch = step_scratch_.empty() ? shared_scratch_ : step_scratch_[static_cast<size_t>(number)];
    }
    phase_->instructions.emplace_back(std::move(run));
  }

  Place input_place(ValueId id, const SegmentStep& step, size_t input) {
    Place place{home(id), whole_region(facts_.graph->value(id).shape)};
    if (step.input_held[input].elements() > 0) place.held = step.input_held[input];
    return place;
  }

  Location new_home(const SegmentValue& made) {
    const std::string& name = facts_.graph->value(made.id).name;
    const bool each_pass = kept_of_each_pass_.contains(made.id);
    const auto passes = static_cast<uint64_t>(each_pass ? phase_->passes : 1);
    const int first = time_ + made.first_step;
    Location place{add_buffer(name, BufferKind::kActivation, made.bytes * passes, first, first)};
    if (each_pass) {
      place.pass_stride = made.bytes;
      // What an earlier pass left must not be overwritten by what comes first in a later one.
      buffer(place).first_use = start_;
    }
    return place;
  }

  void add_move(const SegmentStep& step) {
    Location from = home(step.moved);
    const Location to = from;
    from.offset += step.move_from;
    phase_->instructions.emplace_back(Move{from, to, step.move_bytes});
  }

  uint64_t file_offset(ValueId id) {
    const auto [found, fresh] = file_offsets_.try_emplace(id, file_bytes_);
    if (fresh) file_bytes_ += facts_.value_of(id).bytes;
    plan_.scratch_file_bytes = std::max(plan_.scratch_file_bytes, file_bytes_);
    return found->second;
  }

  void add_spill(ValueId id) {
    extend(home(id), time_);
    if (detail_ == PlanDetail::kBrief) return;
    phase_->instructions.emplace_back(Spill{home(id), file_offset(id), facts_.value_of(id).bytes});
  }

  void add_restore(ValueId id) {
    const uint64_t bytes = facts_.value_of(id).bytes;
    home(id) = {
        add_buffer(facts_.graph->value(id).name + " restored", BufferKind::kActivation, bytes, time_, time_)};
    if (detail_ == PlanDetail::kBrief) return;
    phase_->instructions.emplace_back(Restore{home(id), file_offset(id), bytes});
  }

  PhaseOutputs finish_outputs() {
    PhaseOutputs outputs;
    for (const ValueId id : facts_.graph->outputs()) {
      const Location place = home(id);
      phase_->outputs.push_back({facts_.graph->value(id).name, id, place});
      extend(place, last_);
      if (buffer(place).kind == BufferKind::kActivation) buffer(place).kind = BufferKind::kOutput;
      outputs.places.push_back(place);
    }
    return outputs;
  }

  Plan& plan_;
  const PhaseDesign& design_;
  const PhaseFacts& facts_;
  const PhaseChoice& choice_;
  PlanDetail detail_;
  Phase* phase_ = nullptr;
  int start_ = 0, last_ = 0, time_ = 0;
  std::vector<int> first_instruction_;  // of the run, by step of the sequence, and of their end
  std::vector<Location> homes_;         // by root value
  std::set<ValueId> kept_of_each_pass_;
  std::map<std::tuple<ValueId, DType, int64_t, int64_t, uint64_t, int>, Location> weights_;
  // Of the segment that is being added.
  SegmentPlan steps_;
  std::vector<WeightUse> uses_;  // of one step
  std::vector<Location> step_scratch_;
  Location shared_scratch_;
  std::map<ValueId, uint64_t> file_offsets_;
  uint64_t file_bytes_ = 0;
};

}  // namespace

PhaseOutputs build_phase(Plan& plan, const PhaseDesign& design, PlanDetail detail, int& next_instruction,
                         const std::vector<PhaseOutputs>& earlier, const std::vector<bool>& linked_later) {
  return PhaseBuilder(plan, design, detail).build(next_instruction, earlier, linked_later);
}

}  // namespace snug
