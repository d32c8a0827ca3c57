// Random graphs through everything between a model file and its values: passes, hoisting, precision, planning
// and the executor, against the interpreter, which has every value in memory of its own. Several repeated
// calls with other timesteps and latents, other phases before and after in the same arena, and the whole
// twice over, so that what the first time left in memory shows where something is read before it is written.
#include "runtime/executor.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/parallel.h"
#include "graph/passes/hoist.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "tests/interpret.h"
#include "tests/random_graph.h"
#include "weights/safetensors.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

using testing::interpret;
using testing::made_up_inputs;
using testing::made_up_weights;
using testing::RandomGraph;
using testing::Tensors;

std::shared_ptr<const WeightIndex> index_of(std::shared_ptr<const ByteSource> source) {
  const std::vector<StoredTensor> tensors = read_safetensors_index(*source).tensors;
  NameMappings mappings;
  for (size_t i = 0; i < tensors.size(); ++i) mappings.push_back({i, tensors[i].name});
  auto index = std::make_shared<WeightIndex>(source->name());
  index->add(std::move(source), tensors, mappings);
  return index;
}

// What one part of a model is made of.
struct Part {
  explicit Part(uint32_t seed) : Part(RandomGraph(seed, 10 + static_cast<int>(seed % 30), 16, 6).graph()) {}
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

void set_inputs(Executor& executor, const Phase& phase, const Tensors& inputs) {
  for (const Port& port : phase.inputs) {
    const HostTensor& value = inputs.at(port.name);
    if (value.dtype() == DType::kI32) {
      executor.set_input(
          phase, port.name,
          {reinterpret_cast<const int32_t*>(value.bytes().data()), static_cast<size_t>(value.elements())});
    } else {
      executor.set_input(phase, port.name, value.floats());
    }
  }
}

Tensors read_outputs(Executor& executor, const Phase& phase) {
  Tensors outputs;
  for (const Port& port : phase.outputs) {
    HostTensor value(DType::kF32, phase.graph.value(port.value).shape);
    executor.read_output(phase, port.name, value.floats());
    outputs.emplace(port.name, std::move(value));
  }
  return outputs;
}

constexpr int kCalls = 3;

// A run of three parts as a picture's is: the first and last whole, the one between hoisted and repeated.
class Run {
 public:
  Run(const Backend& backend, const Part& encoder, const Part& model, const Part& decoder,
      Graph (*prepare)(Graph))
      : kernels_(backend) {
    std::vector<PhaseRequest> phases;
    phases.push_back({"encode", "encode", "encoder", prepare(encoder.graph), 1, {}});
    testing::add_hoisted_phases(hoist(prepare(model.graph), kCalls), kCalls, "model", phases);
    phases.push_back({"decode", "decode", "decoder", prepare(decoder.graph), 2, {}});
    plan_ = make_plan(std::move(phases), kernels_, {});
    EXPECT_EQ(prove(plan_).fault, "");
    kernels_.prepare(cancellation_);
    executor_ = std::make_unique<Executor>(
        plan_, kernels_,
        Executor::Weights{{"encoder", encoder.index}, {"model", model.index}, {"decoder", decoder.index}},
        cancellation_);
  }

  // The model's outputs of each call.
  std::vector<Tensors> run(const Part& encoder, const Part& model, const Part& decoder) {
    std::vector<Tensors> outputs;
    run_phase(plan_.phase("encode"), encoder, 1);
    for (const char* name : {"timesteps", "prepare"}) {
      if (!plan_.has_phase(name)) continue;
      const Phase& phase = plan_.phase(name);
      executor_->load(phase);
      Tensors inputs = model.inputs(0);
      if (std::string_view(name) == "timesteps") inputs["timestep"] = all_timesteps(model);
      set_inputs(*executor_, phase, inputs);
      executor_->run(phase);
    }
    outputs = run_phase(plan_.phase("step"), model, kCalls);
    run_phase(plan_.phase("decode"), decoder, 2);
    return outputs;
  }

  const Plan& plan() const { return plan_; }
  Executor& executor() { return *executor_; }

 private:
  static HostTensor all_timesteps(const Part& model) {
    HostTensor all(DType::kF32, Shape{kCalls});
    for (int call = 0; call < kCalls; ++call)
      all.floats()[static_cast<size_t>(call)] = model.inputs(call).at("timestep").floats()[0];
    return all;
  }

  std::vector<Tensors> run_phase(const Phase& phase, const Part& part, int calls) {
    std::vector<Tensors> outputs;
    executor_->load(phase);
    for (int call = 0; call < calls; ++call) {
      set_inputs(*executor_, phase, part.inputs(call));
      executor_->run(phase, call);
      outputs.push_back(read_outputs(*executor_, phase));
    }
    return outputs;
  }

  Cancellation cancellation_;
  KernelSet kernels_;
  Plan plan_;
  std::unique_ptr<Executor> executor_;
};

// ‖a - b‖ / ‖b‖ over both outputs, or infinity where something is not a number.
double distance(const Tensors& got, const Tensors& expected) {
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

bool same_bits(const Tensors& a, const Tensors& b) {
  for (const auto& [name, values] : b) {
    const std::span<const std::byte> x = a.at(name).bytes(), y = values.bytes();
    if (!std::equal(x.begin(), x.end(), y.begin(), y.end())) return false;
  }
  return a.size() == b.size();
}

Graph unchanged(Graph graph) { return graph; }
Graph fused(Graph graph) { return run_passes(std::move(graph), true); }
Graph fused_bf16(Graph graph) { return set_precision(run_passes(std::move(graph), true), DType::kBF16); }

constexpr uint32_t kGraphs = 120;

struct Worst {
  double distance = 0;
  uint32_t seed = 0;
  double sum = 0;
  int count = 0;
  void add(double d, uint32_t s) {
    if (d >= distance) distance = d, seed = s;
    sum += d;
    ++count;
  }
};

// Runs everything for each graph twice and measures against the interpreter on the graph as it was built.
// `exact`: the interpreter on the prepared graph, before hoisting, must give the same bits.
Worst compare(const Backend& backend, Graph (*prepare)(Graph), bool exact) {
  set_thread_count(1);  // graphs this small only lose by more; op_test.cc compares kernels over threads
  Worst worst;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    const Part encoder(3000 + seed), model(seed), decoder(6000 + seed);
    Run run(backend, encoder, model, decoder, prepare);
    const Graph whole = prepare(model.graph);
    const std::vector<Tensors> first = run.run(encoder, model, decoder);
    const std::vector<Tensors> second = run.run(encoder, model, decoder);
    for (int call = 0; call < kCalls; ++call) {
      const Tensors& got = first[static_cast<size_t>(call)];
      EXPECT_TRUE(same_bits(got, second[static_cast<size_t>(call)])) << "seed " << seed << ", again";
      if (exact) {
        EXPECT_TRUE(same_bits(got, interpret(whole, backend, model.inputs(call), model.weights)))
            << "seed " << seed << ", call " << call;
      }
      worst.add(distance(got, interpret(model.graph, reference_backend(), model.inputs(call), model.weights)),
                seed);
    }
    EXPECT_EQ(run.executor().arena().high_water_bytes(), run.plan().arena_bytes);
  }
  std::printf("parity executor %s: worst distance %.2g (seed %u), mean %.2g\n",
              std::string(backend.name()).c_str(), worst.distance, worst.seed, worst.sum / worst.count);
  return worst;
}

TEST(Executor, PlannedAndHoistedGraphsGiveTheInterpretersBits) {
  EXPECT_EQ(compare(reference_backend(), unchanged, true).distance, 0);
}

TEST(Executor, FusedGraphsGiveTheirOwnBitsAndTheOriginalsValues) {
  EXPECT_LE(compare(reference_backend(), fused, true).distance, 1e-5);
}

TEST(Executor, TheCpuGivesTheOriginalsValues) {
  EXPECT_LE(compare(cpu_backend(), fused, false).distance, 3e-5);
}

TEST(Executor, Bf16GivesTheOriginalsValuesWithinItsRounding) {
  EXPECT_LE(compare(reference_backend(), fused_bf16, true).distance, 0.1);
  const Worst cpu = compare(cpu_backend(), fused_bf16, false);
  EXPECT_LE(cpu.distance, 0.1);
  EXPECT_LE(cpu.sum / cpu.count, 0.02);
}

TEST(Executor, AFileThatShrinksAfterOpeningIsTruncated) {
  const Part part(7);
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("snug_executor_test." + std::to_string(::getpid()));
  std::ofstream(path, std::ios::binary) << part.file;
  KernelSet kernels(cpu_backend());
  std::vector<PhaseRequest> phases;
  phases.push_back({"only", "encode", "part", part.graph, 1, {}});
  const Plan plan = make_plan(std::move(phases), kernels, {});
  const Phase& phase = plan.phases[0];
  const Cancellation cancellation;
  kernels.prepare(cancellation);
  Executor executor(plan, kernels, {{"part", index_of(open_file(path))}}, cancellation);
  std::filesystem::resize_file(path, part.file.size() / 2);
  try {
    executor.load(phase);
    ADD_FAILURE() << "read what is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kTruncated);
    EXPECT_EQ(error.file(), path);
    EXPECT_NE(error.tensor(), "");
  }
  // With the file whole again, the same executor loads and runs.
  std::ofstream(path, std::ios::binary) << part.file;
  executor.load(phase);
  set_inputs(executor, phase, part.inputs(0));
  executor.run(phase);
  const Tensors expected = interpret(part.graph, reference_backend(), part.inputs(0), part.weights);
  EXPECT_LE(distance(read_outputs(executor, phase), expected), 3e-5);
  std::filesystem::remove(path);
}

// The reference backend with kernels that count themselves and ask for a stop in the `stop_at`-th.
class StoppingBackend final : public Backend {
 public:
  struct Counter {
    std::optional<Cancellation> cancellation{std::in_place};
    int runs = 0, stop_at = -1;
  };
  explicit StoppingBackend(Counter& counter) : counter_(counter) {}

  std::string_view name() const override { return "stopping"; }
  KernelChoice choose(const NodeSpec& node) const override {
    KernelChoice choice = reference_backend().choose(node);
    choice.kernel = std::make_unique<Counted>(counter_, std::move(choice.kernel));
    return choice;
  }
  std::vector<DType> precisions() const override { return {DType::kF32}; }
  std::vector<std::pair<std::string, std::string>> describe() const override { return {}; }

 private:
  class Counted final : public Kernel {
   public:
    Counted(Counter& counter, std::unique_ptr<Kernel> inner) : counter_(counter), inner_(std::move(inner)) {}
    std::string_view name() const override { return inner_->name(); }
    size_t scratch_bytes() const override { return inner_->scratch_bytes(); }
    WeightForm weight_form(int index) const override { return inner_->weight_form(index); }
    void run(const KernelArgs& args) const override {
      if (counter_.runs++ == counter_.stop_at) counter_.cancellation->request();
      inner_->run(args);
    }

   private:
    Counter& counter_;
    std::unique_ptr<Kernel> inner_;
  };
  Counter& counter_;
};

TEST(Executor, AStopIsHeededAfterTheKernelThatRunsAndLeavesTheExecutorUsable) {
  const Part part(8);
  StoppingBackend::Counter counter;
  const StoppingBackend backend(counter);
  KernelSet kernels(backend);
  std::vector<PhaseRequest> phases;
  phases.push_back({"only", "encode", "part", part.graph, 1, {}});
  const Plan plan = make_plan(std::move(phases), kernels, {});
  const Phase& phase = plan.phases[0];
  Executor executor(plan, kernels, {{"part", part.index}}, *counter.cancellation);
  executor.load(phase);
  for (int stop_at = 0; stop_at < 6; ++stop_at) {
    counter.cancellation.emplace();
    counter.runs = 0;
    counter.stop_at = stop_at;
    set_inputs(executor, phase, part.inputs(0));
    try {
      executor.run(phase);
      FAIL() << "went on";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    }
    EXPECT_EQ(counter.runs, stop_at + 1);
    EXPECT_TRUE(executor.record(phase).call_seconds.empty());
  }
  EXPECT_THROW(executor.load(phase), Error);
  counter.cancellation.emplace();
  counter.stop_at = -1;
  set_inputs(executor, phase, part.inputs(0));
  executor.run(phase);
  EXPECT_TRUE(same_bits(read_outputs(executor, phase),
                        interpret(part.graph, reference_backend(), part.inputs(0), part.weights)));
}

TEST(Executor, RefusesAnArenaThatTheSystemDoesNotHave) {
  const Part part(9);
  KernelSet kernels(reference_backend());
  std::vector<PhaseRequest> phases;
  phases.push_back({"only", "encode", "part", part.graph, 1, {}});
  Plan plan = make_plan(std::move(phases), kernels, {});
  plan.arena_bytes = uint64_t{1} << 62;
  const Cancellation cancellation;
  try {
    const Executor executor(plan, kernels, {{"part", part.index}}, cancellation);
    FAIL() << "had it";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
  }
}

}  // namespace
}  // namespace snug
