// The lists of shapes that operators are tested and timed with (fixtures/shapes/sd15.json) are those of the
// models: each convolution, product and attention of the graphs stands in its list, as often as it occurs.
// On a difference the test prints the lines that the file should have.
#include <algorithm>
#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backend/op_shapes.h"
#include "graph/builder.h"
#include "graph/passes/hoist.h"
#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/clip_text/clip_text.h"
#include "models/unet/unet.h"
#include "tests/manifest_weights.h"

namespace snug {
namespace {

constexpr int64_t kSteps = 20;

// As it stands in the file, by what tells shapes apart, with how often it occurs.
std::map<std::string, int> entries_of(const Graph& graph) {
  std::map<std::string, int> entries;
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::kConv2d && node.op != Op::kLinear && node.op != Op::kAttention) continue;
    const std::vector<Operand> operands = graph.operands(node);
    const Shape& x = operands[0].shape;
    const Shape& second = operands[1].shape;
    std::string entry;
    if (const auto* conv = std::get_if<Conv2dAttrs>(&node.attrs)) {
      EXPECT_TRUE(conv->pad_top == second[2] / 2 && conv->pad_bottom == second[2] / 2) << "not in the form";
      entry = fmt::format(R"("op": "conv2d", "input": [{}, {}, {}, {}], "outputs": {}, "kernel": {})", x[0],
                          x[1], x[2], x[3], second[0], second[2]);
      if (conv->stride > 1) entry += fmt::format(R"(, "stride": {})", conv->stride);
    } else if (const auto* attention = std::get_if<AttentionAttrs>(&node.attrs)) {
      entry = fmt::format(R"("op": "attention", "query": [{}, {}, {}], "keys": {}, "heads": {})", x[0], x[1],
                          x[2], second[1], attention->heads);
      if (attention->causal) entry += R"(, "causal": true)";
    } else {
      entry = fmt::format(R"("op": "linear", "input": [{}, {}], "outputs": {})", x.elements() / x[-1], x[-1],
                          second[0]);
      if (std::get<LinearAttrs>(node.attrs).gated) entry += R"(, "gated": true)";
    }
    ++entries[entry];
  }
  return entries;
}

std::map<std::string, int> lines_of(const std::vector<OpShape>& shapes) {
  std::map<std::string, int> lines;
  for (const OpShape& shape : shapes) lines[shape_line(shape.node)] += shape.count;
  return lines;
}

void check(const std::string& name, const Graph& graph) {
  const auto groups = read_op_shapes(testing::fixtures_dir() + "/shapes/sd15.json");
  const auto group =
      std::find_if(groups.begin(), groups.end(), [&](const auto& each) { return each.name == name; });
  std::string wanted = "{\"groups\": [{\"name\": \"wanted\", \"shapes\": [";
  std::string printed;
  for (const auto& [entry, count] : entries_of(graph)) {
    const std::string line = fmt::format("{{{}, \"count\": {}}}", entry, count);
    wanted += (wanted.ends_with('[') ? "" : ",") + line;
    printed += "    " + line + ",\n";
  }
  const std::string path = ::testing::TempDir() + "snug_shape_lists_" + name + ".json";
  {
    std::ofstream file(path);
    file << wanted << "]}]}";
  }
  const auto expected = lines_of(read_op_shapes(path)[0].shapes);
  std::remove(path.c_str());
  const bool same = group != groups.end() && lines_of(group->shapes) == expected;
  EXPECT_TRUE(same) << "tests/fixtures/shapes/sd15.json: the group " << name << " should be\n" << printed;
}

HoistedGraphs unet() {
  const testing::MapWeights weights = testing::manifest_weights("sd15.unet");
  Graph graph("unet");
  GraphBuilder builder(graph);
  build_unet(builder, parse_unet_config({"unet", testing::manifest_config("sd15.unet")}),
             WeightScope(weights), {2, 64, 64, 77, 1});
  return hoist(graph, kSteps);
}

TEST(ShapeLists, AreThoseOfTheUnet) {
  const HoistedGraphs graphs = unet();
  check("unet_step", graphs.step);
  check("unet_prepare", graphs.request);
  check("unet_timesteps", graphs.timesteps);
}

TEST(ShapeLists, AreThoseOfTheDecoder) {
  const testing::MapWeights weights = testing::manifest_weights("sd15.vae");
  Graph graph("vae");
  GraphBuilder builder(graph);
  build_vae_decoder(builder, parse_autoencoder_kl_config({"vae", testing::manifest_config("sd15.vae")}),
                    WeightScope(weights), {1, 64, 64});
  check("vae_decode", graph);
}

TEST(ShapeLists, AreThoseOfTheTextEncoder) {
  const testing::MapWeights weights = testing::manifest_weights("sd15.text_encoder");
  Graph graph("text_encoder");
  GraphBuilder builder(graph);
  build_clip_text(builder, parse_clip_text_config({"text", testing::manifest_config("sd15.text_encoder")}),
                  WeightScope(weights), {2, 0});
  check("text_encode", graph);
}

}  // namespace
}  // namespace snug
