// Graphs of the published SD1.5 and SDXL, built from its tensor list: the same parameters and the same
// multiply-adds as PyTorch counts, and built in milliseconds.
#include <chrono>
#include <cstdio>

#include <gtest/gtest.h>

#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/clip_text/clip_text.h"
#include "models/umt5/umt5.h"
#include "models/unet/unet.h"
#include "tests/graph_counts.h"
#include "tests/manifest_weights.h"

namespace snug {
namespace {

using testing::expect_all_used;
using testing::manifest_config;
using testing::manifest_weights;
using testing::MapWeights;
using testing::multiply_adds;

nlohmann::json counts_of(const char* model) {
  return testing::read_fixture_json("manifests/flops.json").at(model);
}
nlohmann::json counts_of_sd15() { return counts_of("sd15"); }

TEST(PublishedSizes, TextEncoderCountsAsPyTorchDoes) {
  const MapWeights weights = manifest_weights("sd15.text_encoder");
  const ClipTextConfig config = parse_clip_text_config({"", manifest_config("sd15.text_encoder")});
  Graph graph;
  GraphBuilder b(graph);
  build_clip_text(b, config, WeightScope(weights), {});
  EXPECT_EQ(multiply_adds(graph), counts_of_sd15()["text"]["text_encoder"]["forward"]);
  expect_all_used(weights, {&graph});
}

TEST(PublishedSizes, Umt5CountsAsPyTorchDoes) {
  const MapWeights weights = manifest_weights("umt5_xxl.text_encoder");
  const Umt5Config config = parse_umt5_config({"", manifest_config("umt5_xxl.text_encoder")});
  const auto counts =
      testing::read_fixture_json("manifests/flops.json")["wan22_ti2v_5b"]["text"]["text_encoder"];
  Graph graph;
  GraphBuilder b(graph);
  build_umt5(b, config, WeightScope(weights), counts.at("tokens").get<int64_t>());
  EXPECT_EQ(multiply_adds(graph), counts.at("forward"));
  expect_all_used(weights, {&graph});
}

TEST(PublishedSizes, UnetCountsAsPyTorchDoesAndBuildsQuickly) {
  const MapWeights weights = manifest_weights("sd15.unet");
  const UnetConfig config = parse_unet_config({"", manifest_config("sd15.unet")});
  for (const int64_t size : {64, 96}) {
    const auto start = std::chrono::steady_clock::now();
    Graph graph;
    GraphBuilder b(graph);
    build_unet(b, config, WeightScope(weights), {.batch = 1, .height = size, .width = size});
    const std::chrono::duration<double, std::milli> build_ms = std::chrono::steady_clock::now() - start;
    std::printf("SD1.5 UNet graph: %zu nodes, %zu values, built in %.2f ms\n", graph.nodes().size(),
                graph.values().size(), build_ms.count());
    const std::string pixels = std::to_string(8 * size);
    EXPECT_EQ(multiply_adds(graph), counts_of_sd15()["sizes"][pixels + "x" + pixels]["forward"]);
    expect_all_used(weights, {&graph});
  }
}

TEST(PublishedSizes, AutoencoderCountsAsPyTorchDoes) {
  const MapWeights weights = manifest_weights("sd15.vae");
  const AutoencoderKlConfig config = parse_autoencoder_kl_config({"", manifest_config("sd15.vae")});
  for (const int64_t pixels : {512, 768}) {
    Graph decoder;
    GraphBuilder decode(decoder);
    build_vae_decoder(decode, config, WeightScope(weights), {1, pixels / 8, pixels / 8});
    Graph encoder;
    GraphBuilder encode(encoder);
    build_vae_encoder(encode, config, WeightScope(weights), {1, pixels, pixels});
    const std::string size = std::to_string(pixels) + "x" + std::to_string(pixels);
    EXPECT_EQ(multiply_adds(decoder), counts_of_sd15()["sizes"][size]["vae"]["decode"]);
    EXPECT_EQ(multiply_adds(encoder), counts_of_sd15()["sizes"][size]["vae"]["encode"]);
    expect_all_used(weights, {&decoder, &encoder});
  }
}

TEST(PublishedSizes, XlTextEncodersCountAsPyTorchDoes) {
  const auto expected = counts_of("sdxl")["text"];
  const MapWeights first = manifest_weights("sdxl.text_encoder");
  Graph graph;
  GraphBuilder b(graph);
  build_clip_text(b, parse_clip_text_config({"", manifest_config("sdxl.text_encoder")}), WeightScope(first),
                  {});
  EXPECT_EQ(multiply_adds(graph), expected["text_encoder"]["forward"]);

  const MapWeights second = manifest_weights("sdxl.text_encoder_2");
  Graph both;
  GraphBuilder with_vector(both);
  const ClipTextConfig config = parse_clip_text_config({"", manifest_config("sdxl.text_encoder_2")});
  build_clip_text(with_vector, config, WeightScope(second),
                  {.states = ClipStates::kPenultimate, .pooled = true});
  nlohmann::json counts = multiply_adds(both);
  // Every row is projected, of which one is used; PyTorch takes that one before.
  for (const char* kind : {"linear", "total"}) {
    counts[kind] = counts[kind].get<int64_t>() - (config.positions - 1) * 1280 * 1280;
  }
  EXPECT_EQ(counts, expected["text_encoder_2"]["forward"]);
  expect_all_used(second, {&both});
}

UnetConfig xl_unet_config() {
  UnetConfig config = parse_unet_config({"", manifest_config("sdxl.unet")});
  config.added.numbers = 6;
  return config;
}

TEST(PublishedSizes, XlUnetCountsAsPyTorchDoes) {
  const MapWeights weights = manifest_weights("sdxl.unet");
  Graph graph;
  GraphBuilder b(graph);
  build_unet(b, xl_unet_config(), WeightScope(weights), {.batch = 1, .height = 128, .width = 128});
  EXPECT_EQ(multiply_adds(graph), counts_of("sdxl")["sizes"]["1024x1024"]["forward"]);
  expect_all_used(weights, {&graph});
}

// The embedding of vector and sizes is made once a request, like keys and values.
TEST(PublishedSizes, XlAddedEmbeddingDependsOnTheRequestAlone) {
  const MapWeights weights = manifest_weights("sdxl.unet");
  Graph graph;
  GraphBuilder b(graph);
  build_unet(b, xl_unet_config(), WeightScope(weights), {.batch = 2, .height = 128, .width = 128});
  const std::vector<Variability> varies = graph.variabilities();
  EXPECT_EQ(varies[static_cast<size_t>(graph.find("add_embedding"))], Variability::kRequest);
  EXPECT_EQ(varies[static_cast<size_t>(graph.find("time_embedding"))], Variability::kTimestep);
}

// The keys and values of the text, and nothing else but them, can be made once a request; what follows from
// the timestep once a step.
TEST(PublishedSizes, TextKeysAndValuesDependOnTheTextAlone) {
  const MapWeights weights = manifest_weights("sd15.unet");
  const UnetConfig config = parse_unet_config({"", manifest_config("sd15.unet")});
  Graph graph;
  GraphBuilder b(graph);
  build_unet(b, config, WeightScope(weights), {.batch = 2, .height = 64, .width = 64});
  const std::vector<Variability> varies = graph.variabilities();
  int text_projections = 0;
  for (const Node& node : graph.nodes()) {
    if (varies[static_cast<size_t>(node.output)] != Variability::kRequest) continue;
    EXPECT_EQ(node.op, Op::kLinear);
    ++text_projections;
  }
  EXPECT_EQ(text_projections, 2 * 16);
}

}  // namespace
}  // namespace snug
