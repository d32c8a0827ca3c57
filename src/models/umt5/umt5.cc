#include "models/umt5/umt5.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace snug {
namespace {

// Scores are not scaled: the queries' weights learned to be small.
ValueId self_attention(GraphBuilder& b, ValueId x, const WeightScope& w, const Umt5Config& c,
                       ValueId buckets) {
  const int64_t inner = c.heads * c.head_channels;
  const LinearOptions to_heads{.out_channels = inner, .bias = false};
  const ValueId bias = b.embedding(buckets, w.sub("relative_attention_bias"), c.buckets, c.heads);
  const ValueId q = b.linear(x, w.sub("q"), to_heads);
  const ValueId k = b.linear(x, w.sub("k"), to_heads);
  const ValueId v = b.linear(x, w.sub("v"), to_heads);
  const ValueId mixed = b.attention(q, k, v, {.heads = c.heads, .scale = 1}, bias);
  return b.name(b.linear(mixed, w.sub("o"), {.out_channels = c.channels, .bias = false}), w);
}

ValueId feed_forward(GraphBuilder& b, ValueId x, const WeightScope& w, const Umt5Config& c) {
  const LinearOptions wide{.out_channels = c.feed_forward, .bias = false};
  const ValueId h = b.gated_linear(x, w.sub("wi_1"), w.sub("wi_0"), wide, Activation::kGeluTanh);
  return b.name(b.linear(h, w.sub("wo"), {.out_channels = c.channels, .bias = false}), w);
}

ValueId encoder_block(GraphBuilder& b, ValueId x, const WeightScope& w, const Umt5Config& c,
                      ValueId buckets) {
  const NormOptions norm{.epsilon = c.epsilon};
  const WeightScope first = w.sub("layer", 0), second = w.sub("layer", 1);
  ValueId h = b.rms_norm(x, first.sub("layer_norm"), norm);
  x = b.name(b.add(x, self_attention(b, h, first.sub("SelfAttention"), c, buckets)), first);
  h = b.rms_norm(x, second.sub("layer_norm"), norm);
  return b.name(b.add(x, feed_forward(b, h, second.sub("DenseReluDense"), c)), second);
}

// x is the tokens' rows.
void encode(GraphBuilder& b, ValueId x, const WeightScope& w, const Umt5Config& c) {
  const int64_t tokens = b.shape(x)[1];
  const ValueId buckets =
      b.input("relative_buckets", DType::kI32, {1, 2 * tokens - 1}, Variability::kRequest);
  for (int64_t i = 0; i < c.layers; ++i) x = encoder_block(b, x, w.sub("encoder.block", i), c, buckets);
  x = b.rms_norm(x, w.sub("encoder.final_layer_norm"), {.epsilon = c.epsilon});
  b.output(x, "conditioning");
}

}  // namespace

WeightScope umt5_embedding_scope(const WeightScope& w) {
  const WeightScope inner = w.sub("encoder.embed_tokens");
  return inner.has("weight") && !w.has("shared.weight") ? inner : w.sub("shared");
}

void build_umt5(GraphBuilder& b, const Umt5Config& c, const WeightScope& w, int64_t tokens) {
  const ValueId ids = b.input("input_ids", DType::kI32, {1, tokens}, Variability::kRequest);
  encode(b, b.embedding(ids, umt5_embedding_scope(w), c.vocabulary, c.channels), w, c);
}

void build_umt5_from_rows(GraphBuilder& b, const Umt5Config& c, const WeightScope& w, int64_t tokens) {
  encode(b, b.input("token_rows", DType::kF32, {1, tokens, c.channels}, Variability::kRequest), w, c);
}

std::vector<int32_t> umt5_relative_buckets(const Umt5Config& c, int64_t tokens) {
  const int64_t of_a_side = c.buckets / 2, exact = of_a_side / 2;
  const auto range =
      static_cast<float>(std::log(static_cast<double>(c.max_distance) / static_cast<double>(exact)));
  const auto bucket_of = [&](int64_t distance) {
    if (distance < exact) return distance;
    const float far = std::log(static_cast<float>(distance) / static_cast<float>(exact)) / range;
    const auto further = static_cast<int64_t>(far * static_cast<float>(of_a_side - exact));
    return std::min(exact + further, of_a_side - 1);
  };
  std::vector<int32_t> buckets;
  buckets.reserve(static_cast<size_t>(2 * tokens - 1));
  for (int64_t position = 1 - tokens; position < tokens; ++position) {
    const int64_t side = position > 0 ? of_a_side : 0;
    buckets.push_back(static_cast<int32_t>(side + bucket_of(std::abs(position))));
  }
  return buckets;
}

}  // namespace snug
