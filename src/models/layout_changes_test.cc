// What a step and a decode still do besides their arithmetic: the nodes, of models of real
// sizes after all passes, that only move elements or pass once more over memory. The lists are whole; each
// entry is there because no pass could have removed it, and this test fails when one is added.
#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "graph/passes/hoist.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/unet/unet.h"
#include "tests/manifest_weights.h"

namespace snug {
namespace {

using testing::manifest_config;
using testing::manifest_weights;
using testing::MapWeights;
using Counts = std::map<std::string, int>;

// Nodes that compute nothing, or a function of single elements, by operation. Views run no kernel.
Counts passes_over_memory(const Graph& graph) {
  Counts counts;
  for (const Node& node : graph.nodes()) {
    switch (node.op) {
      case Op::kConv2d:
      case Op::kLinear:
      case Op::kAttention:
      case Op::kGroupStatistics:
      case Op::kGroupNormApply:
      case Op::kLayerNorm: continue;
      default: break;
    }
    if (!op_info(node.op).is_view) ++counts[std::string(op_info(node.op).name)];
  }
  return counts;
}

Graph step_graph(DType precision) {
  static const MapWeights weights = manifest_weights("sd15.unet");
  Graph graph;
  GraphBuilder builder(graph);
  build_unet(builder, parse_unet_config({"", manifest_config("sd15.unet")}), WeightScope(weights),
             {.batch = 2, .height = 64, .width = 64});
  return hoist(set_precision(run_passes(std::move(graph)), precision), 20).step;
}

Graph decoder_graph(DType precision) {
  static const MapWeights weights = manifest_weights("sd15.vae");
  Graph graph;
  GraphBuilder builder(graph);
  build_vae_decoder(builder, parse_autoencoder_kl_config({"", manifest_config("sd15.vae")}),
                    WeightScope(weights), {1, 64, 64});
  return set_precision(run_passes(std::move(graph)), precision);
}

// concat: a skip connection's channels behind the others', which a norm and a projection both read.
// upsample_nearest: before a convolution, four times fewer elements than that one reads.
TEST(LayoutChanges, OfAStepAreItsSkipConnectionsAndUpsamplings) {
  const Counts expected = {{"concat", 12}, {"upsample_nearest", 3}};
  EXPECT_EQ(passes_over_memory(step_graph(DType::kF32)), expected);
}

TEST(LayoutChanges, OfAStepInBf16AreAlsoItsTwoBorders) {
  const Counts expected = {{"cast", 2}, {"concat", 12}, {"upsample_nearest", 3}};
  EXPECT_EQ(passes_over_memory(step_graph(DType::kBF16)), expected);
}

TEST(LayoutChanges, OfADecodeAreItsUpsamplings) {
  const Counts expected = {{"upsample_nearest", 3}};
  EXPECT_EQ(passes_over_memory(decoder_graph(DType::kF32)), expected);
}

// No convolution or product is followed by an activation, a residual or a bias of its own pass: they are in
// its epilogue, or in the norm before.
TEST(LayoutChanges, PicturesAndTheirTokensAreTheSameBytes) {
  for (const Graph& graph : {step_graph(DType::kF32), decoder_graph(DType::kF32)}) {
    const auto is = [](Op op) { return [op](const Node& node) { return node.op == op; }; };
    const auto& nodes = graph.nodes();
    EXPECT_GT(std::count_if(nodes.begin(), nodes.end(), is(Op::kTokens)), 0);
    EXPECT_TRUE(op_info(Op::kTokens).is_view);
    EXPECT_TRUE(op_info(Op::kImage).is_view);
    EXPECT_EQ(std::count_if(nodes.begin(), nodes.end(), is(Op::kActivation)), 0);
    EXPECT_EQ(std::count_if(nodes.begin(), nodes.end(), is(Op::kAdd)), 0);
    EXPECT_EQ(std::count_if(nodes.begin(), nodes.end(), is(Op::kAddChannels)), 0);
  }
}

}  // namespace
}  // namespace snug
