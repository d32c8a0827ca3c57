// Graphs of the published Wan 2.2, built from its tensor lists: the same parameters as were published, and
// the same multiply-adds as PyTorch counts for each size.
#include <gtest/gtest.h>

#include "models/autoencoder_wan/autoencoder_wan.h"
#include "models/wan_transformer/wan_transformer.h"
#include "tests/graph_counts.h"
#include "tests/manifest_weights.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::expect_all_used;
using testing::manifest_config;
using testing::manifest_weights;
using testing::MapWeights;
using testing::multiply_adds;
using testing::parameter_count;

void expect_published(const std::string& component, std::initializer_list<const Graph*> graphs) {
  const json entry = testing::read_fixture_json("manifests/index.json").at("components").at(component);
  const int64_t parameters = parameter_count(graphs);
  EXPECT_EQ(parameters, entry.at("parameters").get<int64_t>());
  if (!entry.at("published_parameters").is_null()) {
    EXPECT_EQ(parameters, entry.at("published_parameters").get<int64_t>());
  }
}

struct PublishedClips {
  const char* model;
  const char* vae;
};

struct Pixels {
  int64_t width = 0, height = 0, frames = 0;
};

// "832x480x81"
Pixels pixels_of(const std::string& size) {
  Pixels pixels;
  const size_t first = size.find('x'), second = size.find('x', first + 1);
  pixels.width = std::stoll(size.substr(0, first));
  pixels.height = std::stoll(size.substr(first + 1));
  pixels.frames = std::stoll(size.substr(second + 1));
  return pixels;
}

class PublishedClip : public ::testing::TestWithParam<PublishedClips> {
 protected:
  Graph transformer(const Pixels& pixels, bool first_frame_given = false) const {
    const MapWeights weights = manifest_weights(transformer_name_);
    WanTransformerRequest request;
    const ClipSize latents = latents_of(pixels);
    request.frames = latents.frames;
    request.height = latents.height;
    request.width = latents.width;
    request.first_frame_given = first_frame_given;
    Graph graph;
    GraphBuilder b(graph);
    build_wan_transformer(b, transformer_, WeightScope(weights), request);
    return graph;
  }
  ClipSize latents_of(const Pixels& pixels) const {
    return {1 + (pixels.frames - 1) / vae_.frame_factor(), pixels.height / vae_.factor(),
            pixels.width / vae_.factor()};
  }

  std::string transformer_name_ = std::string(GetParam().model) + ".transformer", vae_name_ = GetParam().vae;
  json sizes_ = testing::read_fixture_json("manifests/flops.json").at(GetParam().model).at("sizes");
  WanTransformerConfig transformer_ = parse_wan_transformer_config({"", manifest_config(transformer_name_)});
  AutoencoderWanConfig vae_ = parse_autoencoder_wan_config({"", manifest_config(vae_name_)});
};

TEST_P(PublishedClip, TransformerCountsAsPyTorchDoes) {
  for (const auto& [size, counts] : sizes_.items()) {
    SCOPED_TRACE(size);
    const Graph graph = transformer(pixels_of(size));
    EXPECT_EQ(multiply_adds(graph), counts.at("forward"));
    expect_all_used(manifest_weights(transformer_name_), {&graph});
    expect_published(transformer_name_, {&graph});
  }
}

// Of a given frame one time is embedded beside the others', not one for each of its tokens.
TEST_P(PublishedClip, AGivenFrameCostsOneMoreTime) {
  for (const auto& [size, counts] : sizes_.items()) {
    const json without = counts.at("forward"), with = multiply_adds(transformer(pixels_of(size), true));
    const int64_t channels = transformer_.channels();
    EXPECT_EQ(with.at("linear").get<int64_t>() - without.at("linear").get<int64_t>(),
              channels * (transformer_.frequency_channels + channels + 6 * channels));
    EXPECT_EQ(with.at("attention"), without.at("attention"));
  }
}

// The convolutions over time that make two frames of one, or one of two, on the first frame, which stays one:
// PyTorch leaves them out, the graph computes them and takes the frame itself.
int64_t unused_multiply_adds(const Graph& graph) {
  int64_t count = 0;
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::kConv3d || graph.value(node.inputs[1]).name.find("time_conv") == std::string::npos)
      continue;
    count += static_cast<int64_t>(graph.cost(node).flops) / 2 / graph.value(node.output).shape[2];
  }
  return count;
}

// PyTorch's attention in frames has convolutions of one pixel where the graph has products.
void expect_vae_counts(const Graph& graph, const json& expected) {
  const json counts = multiply_adds(graph);
  EXPECT_EQ(expected.at("linear"), 0);
  EXPECT_EQ(
      counts.at("conv").get<int64_t>() + counts.at("linear").get<int64_t>() - unused_multiply_adds(graph),
      expected.at("conv").get<int64_t>());
  EXPECT_EQ(counts.at("attention"), expected.at("attention"));
}

TEST_P(PublishedClip, AutoencoderCountsAsPyTorchDoes) {
  const MapWeights weights = manifest_weights(vae_name_);
  for (const auto& [size, counts] : sizes_.items()) {
    SCOPED_TRACE(size);
    const Pixels pixels = pixels_of(size);
    Graph decoder;
    GraphBuilder decode(decoder);
    build_wan_decoder(decode, vae_, WeightScope(weights), latents_of(pixels));
    Graph encoder;
    GraphBuilder encode(encoder);
    build_wan_encoder(encode, vae_, WeightScope(weights), {1, pixels.height, pixels.width});
    expect_vae_counts(decoder, counts.at("vae").at("decode"));
    expect_vae_counts(encoder, counts.at("vae").at("encode_first_frame"));
    expect_all_used(weights, {&decoder, &encoder});
    expect_published(vae_name_, {&decoder, &encoder});
  }
}

INSTANTIATE_TEST_SUITE_P(Models, PublishedClip,
                         ::testing::Values(PublishedClips{"wan22_t2v_a14b", "wan21.vae"},
                                           PublishedClips{"wan22_i2v_a14b", "wan21.vae"},
                                           PublishedClips{"wan22_ti2v_5b", "wan22.vae"}),
                         [](const auto& made) { return std::string(made.param.model); });

}  // namespace
}  // namespace snug
