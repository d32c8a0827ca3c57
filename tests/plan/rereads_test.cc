// A clip is decoded in bands, and what runs in bands needs all its weights at once, or each of them again for
// each band: the latter when memory is short, and to the same bits.
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

constexpr int64_t kChannels = 128, kEdge = 8, kNarrow = 4, kFrames = 5;
// Of 1.7 MiB each, but for the first and the last, which stay: small frames, large weights.
constexpr int kLayers = 9;

// A causal convolution after another, whose frames come one by one, as a decoder's.
Graph chain() {
  testing::MapWeights weights("chain");
  Graph graph("chain");
  GraphBuilder b(graph);
  ValueId x = b.input("latents", DType::kF32, {1, kNarrow, kFrames, kEdge, kEdge}, Variability::kRequest);
  for (int i = 0; i < kLayers; ++i) {
    const std::string layer = std::to_string(i);
    const int64_t in = i == 0 ? kNarrow : kChannels, out = i + 1 == kLayers ? kNarrow : kChannels;
    weights.tensors[layer + ".weight"] = {DType::kF32, Shape{out, in, 3, 3, 3}};
    weights.tensors[layer + ".bias"] = {DType::kF32, Shape{out}};
    x = b.conv3d(x, WeightScope(weights).sub(layer), {.out_channels = out});
  }
  b.output(x, "out");
  Graph ready = run_passes(graph);
  ready.set_streamed(true);
  return ready;
}

// Loads of the same rows of the same weight beside the first.
size_t rereads(const Phase& phase) {
  std::set<std::pair<ValueId, int64_t>> seen;
  size_t again = 0;
  for (const Load& load : phase.loads) again += seen.emplace(load.value, load.rows.begin).second ? 0 : 1;
  return again;
}

TEST(Rereads, LetAChainInBandsDoWithTheMemoryOfAFewLayersWeights) {
  const testing::Part part(chain());
  const testing::Tensors inputs = part.inputs(0);
  const HostTensor whole =
      testing::interpret(part.graph, cpu_backend(), inputs, part.weights).at("out");  // [1,C,T,H,W]
  const std::vector<PhaseRequest> phases = {testing::whole_phase("decode", "part", part.graph, 1)};
  KernelSet kernels(cpu_backend());
  const Rates rates;
  RequestPlanner planner(phases, kernels, rates);
  const uint64_t natural = planner.sketch({}).plan.arena_bytes;
  const uint64_t least = planner.sketch({0, 0}).plan.arena_bytes;
  EXPECT_LT(least, natural / 2) << "all weights at once are most of what the chain needs";
  for (const uint64_t budget : {UINT64_MAX, (natural + least) / 2, least}) {
    const PlanOutcome outcome = planner.plan({budget, 0});
    ASSERT_TRUE(outcome.fits) << budget;
    ASSERT_EQ(prove(outcome.plan).fault, "") << budget;
    const Phase& phase = outcome.plan.phases.front();
    std::printf("[ arena ] %zu KiB: %zu loads, %zu of them again, in %d bands\n",
                static_cast<size_t>(outcome.plan.arena_bytes / 1024), phase.loads.size(), rereads(phase),
                phase.measures.most_bands);
    EXPECT_EQ(rereads(phase) > 0, budget < natural) << budget;
    const Cancellation never;
    Executor executor(outcome.plan, kernels, {{"part", part.index}}, never);
    executor.begin(phase);
    testing::set_inputs(executor, phase, inputs);
    std::vector<float> streamed;
    executor.run_streamed(phase, [&](const OutputPart& taken) {
      streamed.insert(streamed.end(), taken.values.begin(), taken.values.end());
    });
    ASSERT_EQ(streamed.size(), whole.floats().size());
    const size_t pixels = streamed.size() / kNarrow;
    for (size_t i = 0; i < streamed.size(); ++i) {
      ASSERT_EQ(streamed[i], whole.floats()[i % kNarrow * pixels + i / kNarrow]) << i << " in " << budget;
    }
  }
}

}  // namespace
}  // namespace snug
