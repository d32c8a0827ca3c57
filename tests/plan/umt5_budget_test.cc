// UMT5's text encoder, planned within budgets from the least that there is and executed: the bits of the
// interpreter, which has every value in memory of its own. Attention with a bias and rms_norm are in no
// random graph with what surrounds them here.
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/umt5/umt5.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "tests/fixtures.h"
#include "tests/interpret.h"
#include "tests/random_run.h"

namespace snug {
namespace {

using testing::Tensors;

constexpr int64_t kTokens = 150;

struct Encoder {
  Encoder() {
    const std::string folder = testing::fixtures_dir() + "/umt5-tiny/text_encoder/";
    const Umt5Config config =
        parse_umt5_config({"config.json", testing::read_fixture_bytes("umt5-tiny/text_encoder/config.json")});
    index = testing::index_of(open_file(folder + "model.safetensors"));
    weights = testing::read_fixture("umt5-tiny/text_encoder/model.safetensors");
    GraphBuilder b(graph);
    build_umt5(b, config, WeightScope(*index), kTokens);
    std::vector<int32_t> ids;
    for (int32_t i = 0; i < kTokens; ++i) ids.push_back(i * 37 % 600);
    inputs.emplace("input_ids", as_ids(ids));
    inputs.emplace("relative_buckets", as_ids(umt5_relative_buckets(config, kTokens)));
  }
  static HostTensor as_ids(std::span<const int32_t> values) {
    HostTensor ids(DType::kI32, {1, static_cast<int64_t>(values.size())});
    std::memcpy(ids.bytes().data(), values.data(), values.size_bytes());
    return ids;
  }

  Graph graph{"text_encoder"};
  std::shared_ptr<const WeightIndex> index;
  Tensors weights, inputs;
};

Tensors run(const Plan& plan, KernelSet& kernels, const Encoder& encoder) {
  const Cancellation cancellation;
  Executor executor(plan, kernels, {{"text_encoder", encoder.index}}, cancellation);
  const Phase& phase = plan.phases[0];
  executor.begin(phase);
  testing::set_inputs(executor, phase, encoder.inputs);
  executor.run(phase);
  Tensors outputs;
  testing::read_outputs(executor, phase, outputs);
  return outputs;
}

TEST(Umt5Budget, ChangesNoBitOfTheEmbeddings) {
  const Encoder encoder;
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Graph graph = set_precision(run_passes(encoder.graph), dtype);
    const Tensors expected = testing::interpret(graph, cpu_backend(), encoder.inputs, encoder.weights);
    const std::vector<PhaseRequest> phases = {testing::whole_phase("encode_text", "text_encoder", graph, 1)};
    KernelSet kernels(cpu_backend());
    const uint64_t natural = make_plan(phases, kernels, {}, {}).plan.arena_bytes;
    const uint64_t least = make_plan(phases, kernels, {0, 0}, {}).plan.arena_bytes;
    EXPECT_LT(least, natural);
    for (const uint64_t budget : {natural, (least + natural) / 2, least + (natural - least) / 8, least}) {
      const PlanOutcome outcome = make_plan(phases, kernels, {budget, 0}, {});
      ASSERT_TRUE(outcome.fits) << budget;
      ASSERT_EQ(prove(outcome.plan).fault, "") << budget;
      EXPECT_TRUE(testing::same_bits(run(outcome.plan, kernels, encoder), expected)) << budget;
    }
    std::printf("[ budget ] umt5-tiny %s: %zu to %zu KiB\n", std::string(dtype_info(dtype).name).c_str(),
                static_cast<size_t>(least / 1024), static_cast<size_t>(natural / 1024));
  }
}

}  // namespace
}  // namespace snug
