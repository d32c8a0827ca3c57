// How much there is to be looked into for a plan: a model's blocks repeat, and so do the budgets of a curve,
// and what is alike is looked into once. Counts, because times are the machine's.
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/stopwatch.h"
#include "base/units.h"
#include "graph/passes/passes.h"
#include "models/wan_transformer/wan_transformer.h"
#include "plan/planner.h"
#include "runtime/kernel_set.h"
#include "tests/manifest_weights.h"

namespace snug {
namespace {

constexpr const char* kManifest = "wan22_t2v_a14b.transformer";

// Wan's step at 1280×720×81, with so many of its blocks.
std::vector<PhaseRequest> step_of(int64_t layers, const testing::MapWeights& weights) {
  WanTransformerConfig config =
      parse_wan_transformer_config({kManifest, testing::manifest_config(kManifest)});
  config.layers = layers;
  Graph graph("step");
  GraphBuilder builder(graph);
  WanTransformerRequest request;
  request.batch = 2;
  request.frames = 21;
  request.height = 90;
  request.width = 160;
  build_wan_transformer(builder, config, WeightScope(weights), request);
  std::vector<PhaseRequest> phases = {{"step", "denoise", "transformer", 40, {}}};
  phases.front().ways.push_back({1, run_passes(graph), {}});
  return phases;
}

TEST(PlanningWork, DoesNotGrowWithTheNumberOfAlikeBlocks) {
  const testing::MapWeights weights = testing::manifest_weights(kManifest);
  std::vector<size_t> counts;
  for (const int64_t layers : {4, 40}) {
    const std::vector<PhaseRequest> phases = step_of(layers, weights);
    KernelSet kernels(cpu_backend());
    const Rates rates;
    RequestPlanner planner(phases, kernels, rates);
    const Stopwatch watch;
    for (const uint64_t bytes : {uint64_t{0}, UINT64_MAX}) planner.sketch({bytes, 0});
    counts.push_back(planner.segment_plans());
    std::printf("%d blocks: %zu plans of segments, %.0f ms\n", static_cast<int>(layers), counts.back(),
                1000 * watch.seconds());
  }
  EXPECT_EQ(counts[0], counts[1]);
}

TEST(PlanningWork, OfFurtherBudgetsIsLittle) {
  const testing::MapWeights weights = testing::manifest_weights(kManifest);
  const std::vector<PhaseRequest> phases = step_of(40, weights);
  KernelSet kernels(cpu_backend());
  const Rates rates;
  RequestPlanner planner(phases, kernels, rates);
  const uint64_t least = planner.sketch({0, 0}).plan.arena_bytes;
  const uint64_t most = planner.sketch({}).plan.arena_bytes;
  const size_t before = planner.segment_plans();
  const Stopwatch watch;
  for (int i = 0; i <= 10; ++i) {
    const uint64_t bytes = least + (most - least) / 10 * static_cast<uint64_t>(i);
    const PlanOutcome outcome = planner.sketch({bytes, 0});
    EXPECT_TRUE(outcome.fits) << format_bytes(bytes);
  }
  const size_t more = planner.segment_plans() - before;
  std::printf("eleven budgets between: %zu plans of segments more than %zu, %.0f ms\n", more, before,
              1000 * watch.seconds());
  EXPECT_LE(more, 2 * before);
}

// Buffers cannot always be laid without gaps. Then a little more is streamed, not everything.
TEST(PlanningWork, ALittleLessThanEverythingStreamsALittle) {
  const testing::MapWeights weights = testing::manifest_weights(kManifest);
  const std::vector<PhaseRequest> phases = step_of(40, weights);
  KernelSet kernels(cpu_backend());
  const Rates rates;
  RequestPlanner planner(phases, kernels, rates);
  const uint64_t most = planner.sketch({}).plan.arena_bytes;
  for (const uint64_t less : {64 * kMiB, kGiB, 3 * kGiB}) {
    const PlanOutcome outcome = planner.sketch({most - less, 0});
    EXPECT_TRUE(outcome.fits) << format_bytes(less);
    const PhaseMeasures& measures = outcome.plan.phases[0].measures;
    EXPECT_LE(measures.streamed_bytes, 2 * less + 2 * kGiB) << format_bytes(less);
    EXPECT_EQ(measures.banded_nodes, 0) << format_bytes(less);
  }
}

// What a plan says of its own size is what its instructions and loads take.
TEST(PlanningWork, APlanCountsItself) {
  const testing::MapWeights weights = testing::manifest_weights(kManifest);
  const std::vector<PhaseRequest> phases = step_of(2, weights);
  KernelSet kernels(cpu_backend());
  const Rates rates;
  RequestPlanner planner(phases, kernels, rates);
  const Plan least = planner.plan({0, 0}).plan;
  uint64_t bytes = 0;
  for (const Phase& phase : least.phases) {
    bytes += phase.loads.size() * sizeof(Load) + phase.instructions.size() * (sizeof(Instruction) + 16);
    for (const Instruction& instruction : phase.instructions) {
      const auto* const run = std::get_if<RunKernel>(&instruction);
      if (run != nullptr) bytes += run->inputs.size() * sizeof(Place);
    }
  }
  EXPECT_EQ(least.plan_bytes, bytes);
  // Where nobody has allowed for it, the arena has to be smaller.
  Budget budget{2 * least.arena_bytes, 0};
  budget.plan_allowance_bytes = 0;
  const PlanOutcome within = planner.sketch(budget);
  ASSERT_TRUE(within.fits);
  EXPECT_LE(within.plan.arena_bytes + within.plan.plan_bytes, budget.arena_bytes);
}

// A plan in brief is the plan.
TEST(PlanningWork, ASketchHasTheSizesAndTimesOfItsPlan) {
  const testing::MapWeights weights = testing::manifest_weights(kManifest);
  const std::vector<PhaseRequest> phases = step_of(2, weights);
  KernelSet kernels(cpu_backend());
  const Rates rates;
  RequestPlanner planner(phases, kernels, rates);
  const uint64_t least = planner.sketch({0, 0}).plan.arena_bytes;
  const Plan sketch = planner.sketch({2 * least, 0}).plan;
  const Plan plan = planner.plan({2 * least, 0}).plan;
  EXPECT_EQ(sketch.arena_bytes, plan.arena_bytes);
  EXPECT_EQ(sketch.buffers.size(), plan.buffers.size());
  EXPECT_EQ(sketch.phases[0].predicted_seconds(), plan.phases[0].predicted_seconds());
  EXPECT_TRUE(sketch.phases[0].instructions.empty());
  EXPECT_FALSE(plan.phases[0].instructions.empty());
}

}  // namespace
}  // namespace snug
