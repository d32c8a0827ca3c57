#include "plan/planner.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.h"
#include "plan/offsets.h"
#include "plan/proof.h"

namespace snug {
namespace {

// Lays out one phase after another; holds the plan under construction.
class Planner {
 public:
  Planner(KernelSource& kernels, Plan& plan) : kernels_(kernels), plan_(plan) {}

  void add(PhaseRequest request) {
    plan_.phases.emplace_back();
    phase_ = &plan_.phases.back();
    phase_->name = std::move(request.name);
    phase_->stage = std::move(request.stage);
    phase_->part = std::move(request.part);
    phase_->graph = std::move(request.graph);
    phase_->calls = request.calls;
    phase_->first_instruction = time_;
    places_.assign(phase_->graph.values().size(), {});
    weights_.clear();

    choose_kernels();
    add_loads();
    add_inputs(request.links);
    for (size_t i = 0; i < phase_->graph.nodes().size(); ++i) add_node(static_cast<NodeId>(i));
    add_outputs();
    keep_weights();
    outputs_.push_back(output_places());
  }

 private:
  int add_buffer(std::string name, BufferKind kind, uint64_t bytes, int first, int last) {
    plan_.buffers.push_back({std::move(name), kind, bytes, first, last, 0});
    return static_cast<int>(plan_.buffers.size() - 1);
  }

  void extend(int buffer, int time) {
    int& last = plan_.buffers[static_cast<size_t>(buffer)].last_use;
    last = std::max(last, time);
  }

  void choose_kernels() {
    const Graph& graph = phase_->graph;
    facts_.assign(graph.nodes().size(), nullptr);
    phase_->kernel_names.assign(graph.nodes().size(), {});
    phase_->declined.assign(graph.nodes().size(), {});
    for (size_t i = 0; i < graph.nodes().size(); ++i) {
      const Node& node = graph.nodes()[i];
      phase_->flops_per_call += graph.cost(node).flops;
      if (op_info(node.op).is_view) continue;
      facts_[i] = &kernels_.choose({node.op, node.attrs, graph.operands(node), graph.operand(node.output)});
      phase_->kernel_names[i] = facts_[i]->name;
      phase_->declined[i] = facts_[i]->declined;
    }
  }

  // A packed weight belongs to the kernel that packs it; dense ones are shared by element type.
  using WeightKey = std::tuple<ValueId, int, int, DType>;
  static WeightKey weight_key(ValueId value, const KernelFacts& facts, int input) {
    const WeightForm& form = facts.weight_forms[static_cast<size_t>(input)];
    return {value, form.packed ? facts.kernel : -1, form.packed ? input : -1, form.dtype};
  }

  void add_loads() {
    const Graph& graph = phase_->graph;
    // One staging buffer for the phase, from the first weight that is packed to the last.
    Buffer staging{phase_->name + " staging", BufferKind::kStaging, 0, -1, -1, 0};
    for (size_t i = 0; i < graph.nodes().size(); ++i) {
      const Node& node = graph.nodes()[i];
      for (size_t input = 0; input < node.inputs.size(); ++input) {
        const ValueId id = node.inputs[input];
        if (id == kNoValue || graph.value(id).kind != ValueKind::kWeight) continue;
        SNUG_CHECK(facts_[i] != nullptr, "views take no weights");
        const auto [found, fresh] =
            weights_.try_emplace(weight_key(id, *facts_[i], static_cast<int>(input)), -1);
        if (!fresh) continue;
        const WeightForm& form = facts_[i]->weight_forms[input];
        const Value& value = graph.value(id);
        found->second = add_buffer(value.name, BufferKind::kWeight, form.bytes, time_, time_);
        LoadWeight load{id, form, facts_[i]->kernel, static_cast<int>(input), {found->second}, {}};
        if (form.packed) {
          load.staging.buffer = 0;  // its number is known below
          staging.bytes = std::max(staging.bytes, staging_bytes(value));
          if (staging.first_use < 0) staging.first_use = time_;
          staging.last_use = time_;
        }
        phase_->instructions.emplace_back(load);
        ++time_;
      }
    }
    if (staging.bytes == 0) return;
    const int number =
        add_buffer(staging.name, staging.kind, staging.bytes, staging.first_use, staging.last_use);
    for (Instruction& instruction : phase_->instructions) {
      auto& load = std::get<LoadWeight>(instruction);
      if (load.staging.buffer >= 0) load.staging.buffer = number;
    }
  }

  void add_inputs(const std::vector<PhaseLink>& links) {
    const Graph& graph = phase_->graph;
    for (const ValueId id : graph.inputs()) {
      const auto link =
          std::find_if(links.begin(), links.end(), [&](const PhaseLink& l) { return l.input == id; });
      if (link == links.end()) {
        const Value& value = graph.value(id);
        const int buffer = add_buffer(phase_->name + " " + value.name, BufferKind::kInput,
                                      static_cast<uint64_t>(value.bytes()), time_, time_);
        place(id) = {buffer};
        phase_->inputs.push_back({value.name, id, place(id)});
        continue;
      }
      place(id) = outputs_[static_cast<size_t>(link->source_phase)][link->source_output];
      plan_.buffers[static_cast<size_t>(place(id).buffer)].kind = BufferKind::kHoisted;
      if (link->row_per_call) place(id).call_stride = static_cast<uint64_t>(graph.value(id).bytes());
      linked_.push_back(place(id).buffer);
    }
  }

  void add_node(NodeId id) {
    const Graph& graph = phase_->graph;
    const Node& node = graph.node(id);
    if (op_info(node.op).is_view) {
      place(node.output) = place(node.inputs[0]);
      return;
    }
    const KernelFacts& facts = *facts_[static_cast<size_t>(id)];
    RunKernel run;
    run.node = id;
    run.kernel = facts.kernel;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Location location;
      const ValueId input = node.inputs[i];
      if (input != kNoValue) {
        location = graph.value(input).kind == ValueKind::kWeight
                       ? Location{weights_.at(weight_key(input, facts, static_cast<int>(i)))}
                       : place(input);
        extend(location.buffer, time_);
      }
      run.inputs.push_back(location);
    }
    const Value& out = graph.value(node.output);
    run.output = {
        add_buffer(out.name, BufferKind::kActivation, static_cast<uint64_t>(out.bytes()), time_, time_)};
    place(node.output) = run.output;
    run.scratch_bytes = facts.scratch_bytes;
    if (facts.scratch_bytes > 0) {
      run.scratch = {
          add_buffer(out.name + " scratch", BufferKind::kScratch, facts.scratch_bytes, time_, time_)};
    }
    phase_->instructions.emplace_back(std::move(run));
    ++time_;
  }

  void add_outputs() {
    for (const ValueId id : phase_->graph.outputs()) {
      phase_->outputs.push_back({phase_->graph.value(id).name, id, place(id)});
      extend(place(id).buffer, time_ - 1);
      Buffer& buffer = plan_.buffers[static_cast<size_t>(place(id).buffer)];
      if (buffer.kind == BufferKind::kActivation) buffer.kind = BufferKind::kOutput;
    }
  }

  // What a repeated phase needs again lives until its end.
  void keep_weights() {
    if (phase_->calls > 1) {
      for (const auto& [key, buffer] : weights_) extend(buffer, time_ - 1);
      for (const int buffer : linked_) extend(buffer, time_ - 1);
    }
    linked_.clear();
  }

  std::vector<Location> output_places() {
    std::vector<Location> places;
    for (const ValueId id : phase_->graph.outputs()) places.push_back(place(id));
    return places;
  }

  Location& place(ValueId id) { return places_[static_cast<size_t>(id)]; }

  KernelSource& kernels_;
  Plan& plan_;
  Phase* phase_ = nullptr;
  int time_ = 0;
  std::vector<const KernelFacts*> facts_;
  std::map<WeightKey, int> weights_;
  std::vector<Location> places_;
  std::vector<int> linked_;
  std::vector<std::vector<Location>> outputs_;  // by phase, by output
};

}  // namespace

Plan make_plan(std::vector<PhaseRequest> requests, KernelSource& kernels, const Footprint& footprint) {
  Plan plan;
  plan.phases.reserve(requests.size());
  Planner planner(kernels, plan);
  for (PhaseRequest& request : requests) {
    planner.add(std::move(request));
  }
  plan.arena_bytes = place_buffers(plan.buffers, kBufferAlignment);
  plan.process_bytes = footprint.process_bytes;
  plan.host_bytes = footprint.host_bytes;
  plan.code_bytes = kernels.code_bytes();
#ifndef NDEBUG
  SNUG_CHECK(prove(plan).fault.empty(), "a plan holds its proof");
#endif
  return plan;
}

}  // namespace snug
