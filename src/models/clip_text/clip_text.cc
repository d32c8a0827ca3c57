#include "models/clip_text/clip_text.h"

#include <cmath>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

ValueId self_attention(GraphBuilder& b, ValueId x, const WeightScope& w, int64_t heads) {
  const int64_t channels = b.shape(x)[-1];
  const ValueId q = b.linear(x, w.sub("q_proj"), {.out_channels = channels});
  const ValueId k = b.linear(x, w.sub("k_proj"), {.out_channels = channels});
  const ValueId v = b.linear(x, w.sub("v_proj"), {.out_channels = channels});
  const float scale = 1.0F / std::sqrt(static_cast<float>(channels / heads));
  const ValueId mixed = b.attention(q, k, v, {.heads = heads, .scale = scale, .causal = true});
  return b.linear(mixed, w.sub("out_proj"), {.out_channels = channels});
}

ValueId encoder_layer(GraphBuilder& b, ValueId x, const WeightScope& w, const ClipTextConfig& c) {
  const NormOptions norm{.epsilon = c.epsilon};
  x = b.add(x, self_attention(b, b.layer_norm(x, w.sub("layer_norm1"), norm), w.sub("self_attn"), c.heads));
  ValueId h = b.layer_norm(x, w.sub("layer_norm2"), norm);
  h = b.linear(h, w.sub("mlp.fc1"), {.out_channels = c.intermediate_size});
  h = b.activation(h, c.activation);
  h = b.linear(h, w.sub("mlp.fc2"), {.out_channels = c.hidden_size});
  return b.name(b.add(x, h), w);
}

}  // namespace

WeightScope clip_text_scope(const WeightScope& w) {
  const WeightScope inner = w.sub("text_model");
  return inner.has("embeddings.token_embedding.weight") || !w.has("embeddings.token_embedding.weight") ? inner
                                                                                                       : w;
}

void build_clip_text(GraphBuilder& b, const ClipTextConfig& c, const WeightScope& weights,
                     const ClipTextRequest& request) {
  const int64_t skipped = request.skipped_layers + (request.states == ClipStates::kPenultimate ? 1 : 0);
  if (request.skipped_layers < 0 || skipped >= c.layers) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("cannot skip {} of the text encoder's {} layers", request.skipped_layers, c.layers),
        "use a smaller clip skip");
  }
  const WeightScope w = clip_text_scope(weights);
  const WeightScope embeddings = w.sub("embeddings");
  const ValueId ids = b.input("input_ids", DType::kI32, {request.chunks, c.positions}, Variability::kRequest);
  ValueId x = b.embedding(ids, embeddings.sub("token_embedding"), c.vocabulary, c.hidden_size);
  x = b.add(x, b.weight(embeddings.sub("position_embedding"), "weight", {c.positions, c.hidden_size}));
  x = b.name(x, embeddings);
  const auto layers = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) x = encoder_layer(b, x, w.sub("encoder.layers", i), c);
  };
  const auto normed = [&] { return b.layer_norm(x, w.sub("final_layer_norm"), {.epsilon = c.epsilon}); };
  layers(0, c.layers - skipped);
  const ValueId states = request.states == ClipStates::kPenultimate ? x : normed();
  b.output(states, "conditioning");
  if (!request.pooled) return;
  layers(c.layers - skipped, c.layers);
  const LinearOptions projection{.out_channels = c.projection, .bias = false};
  b.output(b.linear(normed(), weights.sub("text_projection"), projection), "projected");
}

}  // namespace snug
