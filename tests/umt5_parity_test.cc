// UMT5's text encoder against what PyTorch computes with it: the buckets of relative positions, every layer,
// the embeddings that Wan takes, on every backend, in f32 and bf16. Tolerances are the fixture's own. Each
// comparison prints its worst error.
#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/umt5/umt5.h"
#include "tests/fixtures.h"
#include "tests/interpret.h"
#include "tests/manifest_weights.h"

namespace snug {
namespace {

using testing::interpret;
using testing::read_fixture;
using testing::Tensors;

constexpr double kF32Tolerance = 1e-4;   // absolute
constexpr double kBf16Tolerance = 0.03;  // relative L2

Umt5Config config_of_fixture() {
  return parse_umt5_config(
      {"config.json", testing::read_fixture_bytes("umt5-tiny/text_encoder/config.json")});
}

const Tensors& weights() {
  static const Tensors tensors = read_fixture("umt5-tiny/text_encoder/model.safetensors");
  return tensors;
}

testing::MapWeights weight_source() {
  testing::MapWeights source("umt5-tiny");
  for (const auto& [name, tensor] : weights()) source.tensors[name] = {tensor.dtype(), tensor.shape()};
  return source;
}

Graph graph_for(int64_t tokens) {
  Graph graph("text_encoder");
  GraphBuilder b(graph);
  const testing::MapWeights source = weight_source();
  build_umt5(b, config_of_fixture(), WeightScope(source), tokens);
  return graph;
}

HostTensor as_ids(std::span<const int32_t> values) {
  HostTensor ids(DType::kI32, {1, static_cast<int64_t>(values.size())});
  std::memcpy(ids.bytes().data(), values.data(), values.size_bytes());
  return ids;
}

// Row `n` of a batch, of it the part that stands for tokens of the text.
std::vector<float> row_of(const HostTensor& batch, int64_t n, int64_t tokens) {
  const HostTensor floats = batch.to_f32();
  const Shape& shape = batch.shape();
  const int64_t channels = shape.rank() == 3 ? shape[2] : 1;
  const auto row = floats.floats().subspan(static_cast<size_t>(n * shape[1] * channels),
                                           static_cast<size_t>(tokens * channels));
  return {row.begin(), row.end()};
}

int64_t length_of(const Tensors& golden, int64_t n) {
  const HostTensor& mask = golden.at("attention_mask");
  int64_t length = 0;
  for (const float seen : row_of(mask, n, mask.shape()[1])) length += seen != 0;
  return length;
}

Tensors inputs_of(const Tensors& golden, int64_t n, int64_t tokens) {
  std::vector<int32_t> ids;
  for (const float id : row_of(golden.at("input_ids"), n, tokens)) ids.push_back(static_cast<int32_t>(id));
  return {{"input_ids", as_ids(ids)},
          {"relative_buckets", as_ids(umt5_relative_buckets(config_of_fixture(), tokens))}};
}

void expect_close(const std::string& what, const HostTensor& actual, const std::vector<float>& expected,
                  const char* backend) {
  ASSERT_EQ(actual.floats().size(), expected.size()) << what;
  const double worst = testing::worst_difference(actual.floats(), expected);
  std::printf("parity %s on %s: worst %.2g (tolerance %.2g)\n", what.c_str(), backend, worst, kF32Tolerance);
  EXPECT_LE(worst, kF32Tolerance) << what;
}

class Umt5Parity : public ::testing::TestWithParam<const char*> {
 protected:
  const Backend& backend() const {
    return std::string_view(GetParam()) == "reference" ? reference_backend() : cpu_backend();
  }
};

TEST(Umt5, BucketsOfRelativePositionsAreThoseOfPyTorch) {
  const Tensors golden = read_fixture("umt5-tiny/cases/encode_layers.safetensors");
  const HostTensor expected = golden.at("bucket").to_f32(),
                   positions = golden.at("relative_position").to_f32();
  const int64_t tokens = (expected.shape()[0] + 1) / 2;
  const std::vector<int32_t> buckets = umt5_relative_buckets(config_of_fixture(), tokens);
  ASSERT_EQ(static_cast<int64_t>(buckets.size()), expected.shape()[0]);
  for (size_t i = 0; i < buckets.size(); ++i) {
    EXPECT_EQ(static_cast<float>(buckets[i]), expected.floats()[i]) << positions.floats()[i];
  }
  EXPECT_EQ(positions.floats()[0], static_cast<float>(1 - tokens));
  EXPECT_EQ(umt5_relative_buckets(config_of_fixture(), 1), (std::vector<int32_t>{0}));
}

TEST(Umt5, ConfigurationComesFromTheTensorsToo) {
  const testing::MapWeights source = weight_source();
  const Umt5Config stated = config_of_fixture(), inferred = infer_umt5_config(WeightScope(source));
  EXPECT_EQ(inferred.vocabulary, stated.vocabulary);
  EXPECT_EQ(inferred.channels, stated.channels);
  EXPECT_EQ(inferred.heads, stated.heads);
  EXPECT_EQ(inferred.head_channels, stated.head_channels);
  EXPECT_EQ(inferred.feed_forward, stated.feed_forward);
  EXPECT_EQ(inferred.layers, stated.layers);
  EXPECT_EQ(inferred.buckets, stated.buckets);
}

TEST_P(Umt5Parity, EveryLayer) {
  const Tensors golden = read_fixture("umt5-tiny/cases/encode_layers.safetensors");
  const int64_t layers = config_of_fixture().layers;
  // The fixture's names, and the graph's where they are others.
  std::map<std::string, std::string> taps = {{"hidden.0", "shared"}};
  for (const auto& [name, tensor] : golden) {
    if (name.starts_with("tap.")) taps[name] = name.substr(4);
  }
  for (int64_t i = 1; i < layers; ++i) {
    taps["hidden." + std::to_string(i)] = "encoder.block." + std::to_string(i - 1) + ".layer.1";
  }
  taps["hidden." + std::to_string(layers)] = taps["tap.encoder.final_layer_norm"] = "conditioning";
  std::vector<std::string> values;
  for (const auto& [name, value] : taps) values.push_back(value);
  for (int64_t n = 0; n < golden.at("input_ids").shape()[0]; ++n) {
    const int64_t tokens = length_of(golden, n);
    const Tensors out =
        interpret(graph_for(tokens), backend(), inputs_of(golden, n, tokens), weights(), values);
    for (const auto& [name, value] : taps) {
      expect_close("umt5 " + std::to_string(n) + " " + name, out.at(value),
                   row_of(golden.at(name), n, tokens), GetParam());
    }
  }
}

TEST_P(Umt5Parity, RowsReadFromTheTableGiveTheSameBits) {
  const Tensors golden = read_fixture("umt5-tiny/cases/encode_layers.safetensors");
  const int64_t tokens = length_of(golden, 0);
  Tensors inputs = inputs_of(golden, 0, tokens);
  const Tensors expected = interpret(graph_for(tokens), backend(), inputs, weights());
  const HostTensor& table = weights().at("shared.weight");
  const int64_t channels = table.shape()[1];
  HostTensor rows(DType::kF32, {1, tokens, channels});
  const std::vector<float> ids = row_of(golden.at("input_ids"), 0, tokens);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto row = table.floats().subspan(static_cast<size_t>(ids[i]) * static_cast<size_t>(channels),
                                            static_cast<size_t>(channels));
    std::copy(row.begin(), row.end(), rows.floats().begin() + static_cast<int64_t>(i) * channels);
  }
  inputs.emplace("token_rows", std::move(rows));
  Graph graph("text_encoder");
  GraphBuilder b(graph);
  const testing::MapWeights source = weight_source();
  build_umt5_from_rows(b, config_of_fixture(), WeightScope(source), tokens);
  for (const Value& value : graph.values()) EXPECT_NE(value.name, "shared.weight");
  const Tensors got = interpret(graph, backend(), inputs, weights());
  EXPECT_TRUE(std::ranges::equal(got.at("conditioning").floats(), expected.at("conditioning").floats()));
}

// As the pipeline runs it, after all passes.
TEST_P(Umt5Parity, EmbeddingsThatWanTakes) {
  const Tensors golden = read_fixture("umt5-tiny/cases/encode_512.safetensors");
  const HostTensor& embeds = golden.at("prompt_embeds");
  for (int64_t n = 0; n < embeds.shape()[0]; ++n) {
    const int64_t tokens = length_of(golden, n);
    const Graph graph = run_passes(graph_for(tokens));
    const Tensors out = interpret(graph, backend(), inputs_of(golden, n, tokens), weights());
    expect_close("umt5 512 " + std::to_string(n), out.at("conditioning"), row_of(embeds, n, tokens),
                 GetParam());
  }
}

TEST_P(Umt5Parity, EmbeddingsInBf16) {
  const Tensors golden = read_fixture("umt5-tiny/cases/encode_512.safetensors");
  const HostTensor& embeds = golden.at("prompt_embeds");
  for (int64_t n = 0; n < embeds.shape()[0]; ++n) {
    const int64_t tokens = length_of(golden, n);
    const Graph graph = set_precision(run_passes(graph_for(tokens)), DType::kBF16);
    const Tensors out = interpret(graph, backend(), inputs_of(golden, n, tokens), weights());
    const double distance =
        testing::relative_distance(out.at("conditioning").floats(), row_of(embeds, n, tokens));
    std::printf("parity umt5 bf16 %d on %s: %.2g (tolerance %.2g)\n", static_cast<int>(n), GetParam(),
                distance, kBf16Tolerance);
    EXPECT_LE(distance, kBf16Tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Umt5Parity, ::testing::Values("reference", "cpu"));

}  // namespace
}  // namespace snug
