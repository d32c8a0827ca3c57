// A random request (random_request.h) with weights and inputs, planned and run in a plan's arena: what
// tests/plan/random_plan_test.cc and tests/executor_test.cc share.
#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "runtime/executor.h"
#include "tests/interpret.h"
#include "tests/random_request.h"
#include "weights/safetensors.h"
#include "weights/safetensors_write.h"

namespace snug::testing {

inline std::shared_ptr<const WeightIndex> index_of(std::shared_ptr<const ByteSource> source) {
  const std::vector<StoredTensor> tensors = read_safetensors_index(*source).tensors;
  NameMappings mappings;
  for (size_t i = 0; i < tensors.size(); ++i) mappings.push_back({i, tensors[i].name});
  auto index = std::make_shared<WeightIndex>(source->name());
  index->add(std::move(source), tensors, mappings);
  return index;
}

// What one part of a model is made of.
struct Part {
  // Of so many images; 0: 1 to 3. Some have weights large enough to be streamed and cut, and small pictures.
  explicit Part(uint32_t seed, int64_t images = 0)
      : Part(seed % 16 == 0 ? RandomGraph(seed, 10, 96, 3, images).graph()
                            : RandomGraph(seed, 10 + static_cast<int>(seed % 30), 16, 10, images).graph()) {}
  explicit Part(Graph made)
      : graph(std::move(made)), weights(made_up_weights(graph)), file(safetensors_bytes(weights)) {
    index = index_of(view_memory(graph.name(), std::as_bytes(std::span(file))));
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  Tensors inputs(int call) const { return made_up_inputs(graph, 1 + static_cast<uint32_t>(call)); }

  Graph graph;  // as a model file would build it
  Tensors weights;
  std::string file;
  std::shared_ptr<const WeightIndex> index;
};

inline constexpr int kCalls = 3;

// The inputs of pass `pass` of a run, cut from those of all images.
inline void set_inputs(Executor& executor, const Phase& phase, const Tensors& inputs, int call = 0,
                       int pass = 0) {
  for (const Port& port : phase.inputs) {
    const HostTensor& value = inputs.at(port.name);
    const auto elements = static_cast<size_t>(phase.graph.value(port.value).shape.elements());
    const size_t begin =
        elements < value.bytes().size() / sizeof(float) ? elements * static_cast<size_t>(pass) : 0;
    if (value.dtype() == DType::kI32) {
      const auto* ids = reinterpret_cast<const int32_t*>(value.bytes().data());
      executor.set_input(phase, port.name, std::span<const int32_t>(ids + begin, elements), call, pass);
    } else {
      executor.set_input(phase, port.name, value.floats().subspan(begin, elements), call, pass);
    }
  }
}

// Into its place among the outputs of all images.
inline void read_outputs(Executor& executor, const Phase& phase, Tensors& outputs, int call = 0,
                         int pass = 0) {
  for (const Port& port : phase.outputs) {
    Shape shape = phase.graph.value(port.value).shape;
    const auto elements = static_cast<size_t>(shape.elements());
    shape.set(0, shape[0] * phase.passes);
    HostTensor& all = outputs.try_emplace(port.name, DType::kF32, shape).first->second;
    executor.read_output(phase, port.name,
                         all.floats().subspan(elements * static_cast<size_t>(pass), elements), call, pass);
  }
}

// The three parts of a random request, with what they are to be planned as.
struct RandomRequest {
  RandomRequest(uint32_t seed, const PrepareGraph& prepare)
      : encoder(30000 + seed), model(seed, 1 + seed % 3), decoder(60000 + seed) {
    phases.push_back(whole_phase("encode", "encoder", prepare(encoder.graph), 1));
    add_model_phases(model.graph, kCalls, random_ways(1 + seed % 3, seed / 3), prepare, phases);
    phases.push_back(whole_phase("decode", "decoder", prepare(decoder.graph), 2));
  }

  Part encoder, model, decoder;
  std::vector<PhaseRequest> phases;
};

// A request planned within a budget, ready to run.
class RandomRun {
 public:
  RandomRun(const Backend& backend, const RandomRequest& request, const Budget& budget)
      : request_(request), kernels_(backend) {
    PlanOutcome outcome = make_plan(request.phases, kernels_, budget, {});
    plan_ = std::move(outcome.plan);
    fits_ = outcome.fits;
  }

  // The model's outputs of each call, and the decoder's.
  std::vector<Tensors> run() {
    executor_.emplace(plan_, kernels_,
                      Executor::Weights{{"encoder", request_.encoder.index},
                                        {"model", request_.model.index},
                                        {"decoder", request_.decoder.index}},
                      cancellation_);
    return run_again();
  }
  std::vector<Tensors> run_again() {
    run_phase(plan_.phase("encode"), request_.encoder, 1);
    for (const char* name : {"timesteps", "prepare"}) {
      if (plan_.has_phase(name)) run_phase(plan_.phase(name), request_.model, 1);
    }
    std::vector<Tensors> outputs = run_phase(plan_.phase("step"), request_.model, kCalls);
    for (Tensors& decoded : run_phase(plan_.phase("decode"), request_.decoder, 2)) {
      outputs.push_back(std::move(decoded));
    }
    return outputs;
  }

  const Plan& plan() const { return plan_; }
  bool fits() const { return fits_; }
  const Executor& executor() const { return *executor_; }

 private:
  static HostTensor all_timesteps(const Part& model) {
    HostTensor all(DType::kF32, Shape{kCalls});
    for (int call = 0; call < kCalls; ++call)
      all.floats()[static_cast<size_t>(call)] = model.inputs(call).at("timestep").floats()[0];
    return all;
  }

  std::vector<Tensors> run_phase(const Phase& phase, const Part& part, int calls) {
    std::vector<Tensors> outputs(static_cast<size_t>(calls));
    executor_->begin(phase);
    for (int call = 0; call < calls; ++call) {
      Tensors inputs = part.inputs(call);
      if (phase.name == "timesteps") inputs["timestep"] = all_timesteps(part);
      for (int pass = 0; pass < phase.passes; ++pass) {
        set_inputs(*executor_, phase, inputs, call, pass);
        executor_->run(phase, call, pass);
        // What is hoisted may lie in another element type.
        if (phase.stage != "denoise" || phase.name == "step") {
          read_outputs(*executor_, phase, outputs[static_cast<size_t>(call)], call, pass);
        }
      }
    }
    return outputs;
  }

  const RandomRequest& request_;
  const Cancellation cancellation_;
  KernelSet kernels_;
  Plan plan_;
  bool fits_ = false;
  std::optional<Executor> executor_;
};

// ‖a - b‖ / ‖b‖ over both outputs, or infinity where something is not a number.
inline double distance(const Tensors& got, const Tensors& expected) {
  double difference = 0, size = 0;
  for (const auto& [name, values] : expected) {
    const std::span<const float> a = got.at(name).floats(), b = values.floats();
    for (size_t i = 0; i < b.size(); ++i) {
      difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
      size += std::pow(static_cast<double>(b[i]), 2);
    }
  }
  const double share = std::sqrt(difference / size);
  return std::isfinite(share) ? share : INFINITY;
}

inline bool same_bits(const Tensors& a, const Tensors& b) {
  for (const auto& [name, values] : b) {
    const std::span<const std::byte> x = a.at(name).bytes(), y = values.bytes();
    if (!std::equal(x.begin(), x.end(), y.begin(), y.end())) return false;
  }
  return a.size() == b.size();
}

inline bool same_bits(const std::vector<Tensors>& a, const std::vector<Tensors>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensors& x, const Tensors& y) { return same_bits(x, y); });
}

}  // namespace snug::testing
