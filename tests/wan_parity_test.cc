// Wan's transformers and autoencoders against the values that PyTorch computes with them: outputs and what is
// inside, on every backend. Tolerances are the fixtures' own. Each comparison prints its worst error.
#include <cstdio>

#include <gtest/gtest.h>

#include "base/file_tree.h"
#include "graph/passes/passes.h"
#include "models/autoencoder_wan/autoencoder_wan.h"
#include "models/wan_transformer/wan_transformer.h"
#include "tests/fixtures.h"
#include "tests/interpret.h"
#include "weights/diffusers_folder.h"

namespace snug {
namespace {

using testing::interpret;
using testing::read_fixture;
using testing::Tensors;

constexpr double kTolerance = 1e-4;

Tensors weights_of(const Graph& graph, const WeightIndex& index) {
  Tensors weights;
  for (const Value& value : graph.values()) {
    if (value.kind != ValueKind::kWeight || weights.count(value.name) > 0) continue;
    HostTensor tensor(DType::kF32, index.entry(value.name).shape);
    index.read_f32(value.name, 0, tensor.floats());
    weights.emplace(value.name, std::move(tensor));
  }
  return weights;
}

ConfigText config_of(const FileTree& tree, const std::string& part) {
  const auto file = tree.open(part + "/config.json");
  return {file->name(), read_text(*file, 1 << 20)};
}

// One sample of a batch.
HostTensor sample_of(const HostTensor& all, int64_t sample) {
  Shape shape = all.shape();
  const int64_t size = all.elements() / shape[0];
  shape.set(0, 1);
  HostTensor one(DType::kF32, shape);
  const HostTensor floats = all.to_f32();
  std::copy_n(floats.floats().begin() + sample * size, size, one.floats().begin());
  return one;
}

HostTensor scalar(float value) {
  HostTensor tensor(DType::kF32, Shape{1});
  tensor.floats()[0] = value;
  return tensor;
}

class WanParity : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  std::string model() const { return std::string("wan-tiny-") + std::get<0>(GetParam()); }
  const Backend& backend() const {
    return std::string_view(std::get<1>(GetParam())) == "reference" ? reference_backend() : cpu_backend();
  }
  Tensors golden(const std::string& name) const { return read_fixture(model() + "/cases/" + name); }
  // A graph's outputs and taps, and what they are compared with under the same names.
  void compare(const Graph& graph, const WeightIndex& index, const Tensors& inputs,
               const std::map<std::string, HostTensor>& expected) const {
    std::vector<std::string> taps;
    const Graph ready = run_passes(graph);
    // Passes take some values into others.
    for (const auto& [name, tensor] : expected) {
      if (ready.find(name) != kNoValue) taps.push_back(name);
    }
    const Tensors out = interpret(ready, backend(), inputs, weights_of(graph, index), taps);
    for (const auto& [name, tensor] : expected) {
      const auto found = out.find(name);
      if (found == out.end()) continue;
      const HostTensor& actual = found->second;
      ASSERT_EQ(actual.elements(), tensor.elements()) << name << " " << actual.shape().text();
      const double worst = testing::worst_difference(actual.floats(), tensor.to_f32().floats());
      std::printf("parity %s %s on %s: worst %.2g (tolerance %.2g)\n", model().c_str(), name.c_str(),
                  std::get<1>(GetParam()), worst, kTolerance);
      EXPECT_LE(worst, kTolerance) << name;
    }
  }
  std::shared_ptr<FileTree> tree_ = open_folder(testing::fixtures_dir() + "/" + model());
};

TEST_P(WanParity, Transformer) {
  const WanTransformerConfig config = parse_wan_transformer_config(config_of(*tree_, "transformer"));
  const auto index = open_folder_weights(*tree_, "transformer");
  const Tensors cases = golden("transformer_forward.safetensors");
  const Shape& x = cases.at("hidden_states").shape();
  const HostTensor times = cases.at("timestep").to_f32();
  const int64_t of_sample = times.elements() / x[0];
  for (int64_t sample = 0; sample < x[0]; ++sample) {
    const float first = times.floats()[static_cast<size_t>(sample * of_sample)];
    const float last = times.floats()[static_cast<size_t>((sample + 1) * of_sample - 1)];
    WanTransformerRequest request;
    request.frames = x[2];
    request.height = x[3];
    request.width = x[4];
    request.first_frame_given = first != last;
    Graph graph("transformer");
    GraphBuilder builder(graph);
    build_wan_transformer(builder, config, WeightScope(*index), request);
    Tensors inputs = {{"latents", sample_of(cases.at("hidden_states"), sample)},
                      {"timestep", scalar(last)},
                      {"conditioning", sample_of(cases.at("encoder_hidden_states"), sample)}};
    if (request.first_frame_given) inputs.emplace("first_timestep", scalar(first));
    std::map<std::string, HostTensor> expected = {{"model_output", sample_of(cases.at("out"), sample)}};
    for (int64_t i = 0; i < config.layers; ++i) {
      const std::string block = "blocks." + std::to_string(i);
      for (const char* part : {"", ".attn1", ".attn2", ".ffn"})
        expected.emplace(block + part, sample_of(cases.at("tap." + block + part), sample));
    }
    compare(graph, *index, inputs, expected);
  }
}

TEST_P(WanParity, Decoder) {
  if (model() == "wan-tiny-i2v") GTEST_SKIP() << "the same autoencoder as t2v's";
  const AutoencoderWanConfig config = parse_autoencoder_wan_config(config_of(*tree_, "vae"));
  const auto index = open_folder_weights(*tree_, "vae");
  const Tensors cases = golden("vae_decode.safetensors");
  const Shape& z = cases.at("z").shape();
  Graph graph("decoder");
  GraphBuilder builder(graph);
  build_wan_decoder(builder, config, WeightScope(*index), {z[2], z[3], z[4]});
  std::map<std::string, HostTensor> expected;
  for (const auto& [name, tensor] : cases) {
    if (name.starts_with("tap.decoder.")) expected.emplace(name.substr(4), tensor);
  }
  const std::string last = "clip";
  compare(graph, *index, {{"latents", cases.at("z")}}, expected);
  const Tensors out =
      interpret(run_passes(graph), backend(), {{"latents", cases.at("z")}}, weights_of(graph, *index));
  HostTensor clip = out.at(last);
  for (float& value : clip.floats()) value = std::clamp(value, -1.0F, 1.0F);
  ASSERT_EQ(clip.shape(), cases.at("out").shape());
  const double worst = testing::worst_difference(clip.floats(), cases.at("out").floats());
  std::printf("parity %s decode on %s: worst %.2g (tolerance %.2g)\n", model().c_str(),
              std::get<1>(GetParam()), worst, kTolerance);
  EXPECT_LE(worst, kTolerance);
}

TEST_P(WanParity, Encoder) {
  if (model() == "wan-tiny-i2v") GTEST_SKIP() << "the same autoencoder as t2v's";
  const AutoencoderWanConfig config = parse_autoencoder_wan_config(config_of(*tree_, "vae"));
  const auto index = open_folder_weights(*tree_, "vae");
  const Tensors cases = golden("vae_encode.safetensors");
  const Shape& clip = cases.at("video").shape();
  Graph graph("encoder");
  GraphBuilder builder(graph);
  build_wan_encoder(builder, config, WeightScope(*index), {clip[2], clip[3], clip[4]});
  HostTensor moments(DType::kF32, [&] {
    Shape shape = cases.at("mean").shape();
    shape.set(1, 2 * shape[1]);
    return shape;
  }());
  const auto mean = cases.at("mean").floats(), variance = cases.at("logvar").floats();
  std::copy(mean.begin(), mean.end(), moments.floats().begin());
  std::copy(variance.begin(), variance.end(), moments.floats().begin() + static_cast<int64_t>(mean.size()));
  std::map<std::string, HostTensor> expected = {{"moments", moments}};
  for (const auto& [name, tensor] : cases) {
    if (name.starts_with("tap.encoder.")) expected.emplace(name.substr(4), tensor);
  }
  compare(graph, *index, {{"clip", cases.at("video")}}, expected);
}

INSTANTIATE_TEST_SUITE_P(Models, WanParity,
                         ::testing::Combine(::testing::Values("t2v", "i2v", "ti2v"),
                                            ::testing::Values("reference", "cpu")),
                         [](const auto& made) {
                           return std::string(std::get<0>(made.param)) + "_" + std::get<1>(made.param);
                         });

}  // namespace
}  // namespace snug
