// What runs in bands needs all its weights at once, or each of them again for each band: the latter when
// memory is short, and to the same bits.
#include <cstdio>
#include <set>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "runtime/executor.h"
#include "tests/interpret.h"
#include "tests/manifest_weights.h"
#include "tests/random_run.h"

namespace snug {
namespace {

using testing::Tensors;

constexpr int64_t kChannels = 128, kEdge = 96, kNarrow = 4;
constexpr int kLayers = 17;  // of 0.56 MiB each, but for the first and the last

// A chain of convolutions that is wide between its ends: what lives whole is small in bands.
Graph chain() {
  testing::MapWeights weights("chain");
  Graph graph("chain");
  GraphBuilder b(graph);
  ValueId x = b.input("latents", DType::kF32, {1, kNarrow, kEdge, kEdge}, Variability::kRequest);
  for (int i = 0; i < kLayers; ++i) {
    const std::string layer = std::to_string(i);
    const int64_t in = i == 0 ? kNarrow : kChannels, out = i + 1 == kLayers ? kNarrow : kChannels;
    weights.tensors[layer + ".weight"] = {DType::kF32, Shape{out, in, 3, 3}};
    weights.tensors[layer + ".bias"] = {DType::kF32, Shape{out}};
    x = b.conv2d(x, WeightScope(weights).sub(layer), {.out_channels = out, .kernel = 3, .padding = 1});
  }
  b.output(x, "out");
  return run_passes(graph);
}

// Loads of the same rows of the same weight beside the first.
size_t rereads(const Phase& phase) {
  std::set<std::pair<ValueId, int64_t>> seen;
  size_t again = 0;
  for (const Load& load : phase.loads) again += seen.emplace(load.value, load.rows.begin).second ? 0 : 1;
  return again;
}

TEST(Rereads, LetAChainInBandsDoWithTheMemoryOfOneLayersWeights) {
  const testing::Part part(chain());
  const std::vector<PhaseRequest> phases = {testing::whole_phase("decode", "part", part.graph, 1)};
  KernelSet kernels(cpu_backend());
  const Tensors inputs = part.inputs(0);
  const Tensors expected = testing::interpret(part.graph, cpu_backend(), inputs, part.weights);
  const Rates rates;
  RequestPlanner planner(phases, kernels, rates);
  const uint64_t natural = planner.sketch({}).plan.arena_bytes;
  const uint64_t least = planner.sketch({0, 0}).plan.arena_bytes;
  size_t most_rereads = 0;
  for (const uint64_t budget : {natural, (natural + least) / 2, least}) {
    const PlanOutcome outcome = planner.plan({budget, 0});
    ASSERT_TRUE(outcome.fits) << budget;
    ASSERT_EQ(prove(outcome.plan).fault, "") << budget;
    const Phase& phase = outcome.plan.phases.front();
    most_rereads = std::max(most_rereads, rereads(phase));
    std::printf("[ budget ] %zu KiB: %zu loads, %zu of them again, in %d bands\n",
                static_cast<size_t>(budget / 1024), phase.loads.size(), rereads(phase),
                phase.measures.most_bands);
    const Cancellation never;
    Executor executor(outcome.plan, kernels, {{"part", part.index}}, never);
    executor.begin(phase);
    testing::set_inputs(executor, phase, inputs);
    executor.run(phase);
    Tensors outputs;
    testing::read_outputs(executor, phase, outputs);
    EXPECT_TRUE(testing::same_bits(outputs, expected)) << budget;
  }
  EXPECT_GT(most_rereads, 0);
}

}  // namespace
}  // namespace snug
