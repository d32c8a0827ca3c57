// Wan's transformers and autoencoders against the values that PyTorch computes with them: outputs and what is
// inside, on every backend, in f32 and bf16. Tolerances are the fixtures' own. Each comparison prints its
// worst error.
#include <cstdio>

#include <gtest/gtest.h>

#include "base/file_tree.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/autoencoder_wan/autoencoder_wan.h"
#include "models/wan_transformer/wan_transformer.h"
#include "tests/fixtures.h"
#include "tests/part_values.h"
#include "weights/diffusers_folder.h"

namespace snug {
namespace {

using testing::interpret;
using testing::read_fixture;
using testing::Tensors;
using testing::weights_of;

constexpr double kTolerance = 1e-4;
constexpr double kTransformerInBf16 = 0.02;  // relative L2

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

constexpr int64_t kSamples = 2;  // of the fixtures' transformer_forward

struct TransformerCall {
  Graph graph{"transformer"};
  Tensors inputs;
  int64_t layers = 0;
};

class WanParity : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  std::string model() const { return std::string("wan-tiny-") + std::get<0>(GetParam()); }
  const Backend& backend() const {
    return std::string_view(std::get<1>(GetParam())) == "reference" ? reference_backend() : cpu_backend();
  }
  Tensors golden(const std::string& name) const { return read_fixture(model() + "/cases/" + name); }
  // A graph's outputs and what is inside, with what has the same names in `expected`: all of it before the
  // passes, and then what these left, since they take some values into others.
  void compare(const Graph& graph, const WeightIndex& index, const Tensors& inputs,
               const std::map<std::string, HostTensor>& expected) const {
    for (const auto& [name, tensor] : expected) EXPECT_NE(graph.find(name), kNoValue) << name;
    compare_found(graph, index, inputs, expected);
    const size_t left = compare_found(run_passes(graph), index, inputs, expected);
    EXPECT_GE(4 * left, 3 * expected.size()) << "passes leave too little to compare";
  }
  size_t compare_found(const Graph& graph, const WeightIndex& index, const Tensors& inputs,
                       const std::map<std::string, HostTensor>& expected) const {
    std::vector<std::string> taps;
    for (const auto& [name, tensor] : expected) {
      if (graph.find(name) != kNoValue) taps.push_back(name);
    }
    const Tensors out = interpret(graph, backend(), inputs, weights_of(graph, index), taps);
    for (const std::string& name : taps) {
      const HostTensor& actual = out.at(name);
      EXPECT_EQ(actual.elements(), expected.at(name).elements()) << name << " " << actual.shape().text();
      const double worst = testing::worst_difference(actual.floats(), expected.at(name).to_f32().floats());
      std::printf("parity %s %s on %s: worst %.2g (tolerance %.2g)\n", model().c_str(), name.c_str(),
                  std::get<1>(GetParam()), worst, kTolerance);
      EXPECT_LE(worst, kTolerance) << name;
    }
    return taps.size();
  }
  // One sample of the fixture's batch: what the first frame's tokens have as their time may be its own.
  TransformerCall transformer_call(const Tensors& cases, int64_t sample) const {
    const WanTransformerConfig config = parse_wan_transformer_config(config_of(*tree_, "transformer"));
    const Shape& x = cases.at("hidden_states").shape();
    const HostTensor times = cases.at("timestep").to_f32();
    const int64_t of_sample = times.elements() / kSamples;
    const float first = times.floats()[static_cast<size_t>(sample * of_sample)];
    const float last = times.floats()[static_cast<size_t>((sample + 1) * of_sample - 1)];
    WanTransformerRequest request;
    request.frames = x[2];
    request.height = x[3];
    request.width = x[4];
    request.first_frame_given = first != last;
    TransformerCall call;
    call.layers = config.layers;
    GraphBuilder builder(call.graph);
    build_wan_transformer(builder, config, WeightScope(*transformer_), request);
    call.inputs = {{"latents", sample_of(cases.at("hidden_states"), sample)},
                   {"timestep", scalar(last)},
                   {"conditioning", sample_of(cases.at("encoder_hidden_states"), sample)}};
    if (request.first_frame_given) call.inputs.emplace("first_timestep", scalar(first));
    return call;
  }
  std::shared_ptr<FileTree> tree_ = open_folder(testing::fixtures_dir() + "/" + model());
  std::shared_ptr<const WeightIndex> transformer_ = open_folder_weights(*tree_, "transformer");
};

TEST_P(WanParity, Transformer) {
  const Tensors cases = golden("transformer_forward.safetensors");
  for (int64_t sample = 0; sample < kSamples; ++sample) {
    const TransformerCall call = transformer_call(cases, sample);
    std::map<std::string, HostTensor> expected = {{"model_output", sample_of(cases.at("out"), sample)}};
    for (int64_t i = 0; i < call.layers; ++i) {
      const std::string block = "blocks." + std::to_string(i);
      for (const char* part : {"", ".attn1", ".attn2", ".ffn"})
        expected.emplace(block + part, sample_of(cases.at("tap." + block + part), sample));
    }
    compare(call.graph, *transformer_, call.inputs, expected);
  }
}

// The rows that times give come as they were made, not rounded on the way.
void expect_exact_time_rows(const Graph& graph) {
  int rows = 0;
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::kModulate && node.op != Op::kGatedAdd) continue;
    const size_t x = node.op == Op::kModulate ? 1 : 2;  // of the layer, before time, table and first time
    for (const ValueId id : {node.inputs[x], node.inputs[x + 2]}) {
      if (id == kNoValue) continue;
      const Value& row = graph.value(id);
      EXPECT_NE(graph.node(row.producer).op, Op::kCast) << row.name;
      ++rows;
    }
  }
  EXPECT_GT(rows, 0);
}

TEST_P(WanParity, TransformerInBf16) {
  const Tensors cases = golden("transformer_forward.safetensors");
  for (int64_t sample = 0; sample < kSamples; ++sample) {
    const TransformerCall call = transformer_call(cases, sample);
    const Graph graph = set_precision(run_passes(call.graph), DType::kBF16);
    expect_exact_time_rows(graph);
    const Tensors out = interpret(graph, backend(), call.inputs, weights_of(graph, *transformer_));
    const double distance = testing::relative_distance(out.at("model_output").floats(),
                                                       sample_of(cases.at("out"), sample).floats());
    std::printf("parity %s bf16 %d on %s: %.2g (tolerance %.2g)\n", model().c_str(), static_cast<int>(sample),
                std::get<1>(GetParam()), distance, kTransformerInBf16);
    EXPECT_LE(distance, kTransformerInBf16);
    EXPECT_GT(distance, 1e-4) << "as exact as f32";
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
    if (!name.starts_with("tap.decoder.")) continue;
    // What ends a part has the part's name in the graph.
    std::string value = name.substr(4);
    if (value == "decoder.up_blocks.0.upsamplers.0") value = "decoder.up_blocks.0";
    if (value == "decoder.conv_out" && config.patch == 1) value = "clip";
    expected.emplace(value, tensor);
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
