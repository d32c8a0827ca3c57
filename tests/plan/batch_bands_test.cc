// Pictures of a batch go through a stretch in bands one after another: each in as few rows at a time as the
// first.
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/units.h"
#include "graph/passes/passes.h"
#include "models/autoencoder_kl/autoencoder_kl.h"
#include "plan/planner.h"
#include "runtime/kernel_set.h"
#include "tests/manifest_weights.h"

namespace snug {
namespace {

uint64_t least_arena_bytes(int64_t batch) {
  const testing::MapWeights weights = testing::manifest_weights("sd15.vae");
  Graph graph("decoder");
  GraphBuilder builder(graph);
  build_vae_decoder(builder, parse_autoencoder_kl_config({"", testing::manifest_config("sd15.vae")}),
                    WeightScope(weights), {batch, 64, 64});
  std::vector<PhaseRequest> phases = {{"decode", "decode", "vae", 1, {}}};
  phases.front().ways.push_back({1, run_passes(graph), {}});
  KernelSet kernels(cpu_backend());
  return RequestPlanner(phases, kernels, Rates()).sketch({0, 0}).plan.arena_bytes;
}

TEST(BatchBands, NeedNoMoreForEachPictureThanForOneAlone) {
  const uint64_t one = least_arena_bytes(1);
  for (const int64_t batch : {2, 4}) {
    const uint64_t all = least_arena_bytes(batch);
    std::printf("%d pictures: at least %s, one alone %s\n", static_cast<int>(batch),
                format_bytes(all).c_str(), format_bytes(one).c_str());
    EXPECT_LE(all, static_cast<uint64_t>(batch) * one);
  }
}

}  // namespace
}  // namespace snug
