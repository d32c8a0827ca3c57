#include "models/unet/transformer.h"

#include <cmath>

namespace snug {
namespace {

// Keys and values come from `context` alone: where that is the text, they are made once a request.
ValueId attention_layer(GraphBuilder& b, ValueId x, ValueId context, const WeightScope& w, int64_t heads) {
  const int64_t channels = b.shape(x)[-1];
  const LinearOptions without_bias{.out_channels = channels, .bias = false};
  const ValueId q = b.linear(x, w.sub("to_q"), without_bias);
  const ValueId k = b.linear(context, w.sub("to_k"), without_bias);
  const ValueId v = b.linear(context, w.sub("to_v"), without_bias);
  const float scale = 1.0F / std::sqrt(static_cast<float>(channels / heads));
  const ValueId mixed = b.attention(q, k, v, {.heads = heads, .scale = scale});
  return b.name(b.linear(mixed, w.sub("to_out.0"), {.out_channels = channels}), w);
}

ValueId feed_forward(GraphBuilder& b, ValueId x, const WeightScope& w) {
  constexpr int64_t kWidening = 4;
  const int64_t channels = b.shape(x)[-1];
  x = b.gated_linear(x, w.sub("net.0.proj"), {.out_channels = kWidening * channels}, Activation::kGelu);
  return b.name(b.linear(x, w.sub("net.2"), {.out_channels = channels}), w);
}

ValueId transformer_block(GraphBuilder& b, ValueId x, ValueId conditioning, const WeightScope& w,
                          int64_t heads) {
  const ValueId self = b.layer_norm(x, w.sub("norm1"), {});
  x = b.add(x, attention_layer(b, self, self, w.sub("attn1"), heads));
  const ValueId cross = b.layer_norm(x, w.sub("norm2"), {});
  x = b.add(x, attention_layer(b, cross, conditioning, w.sub("attn2"), heads));
  x = b.add(x, feed_forward(b, b.layer_norm(x, w.sub("norm3"), {}), w.sub("ff")));
  return b.name(x, w);
}

}  // namespace

ValueId spatial_transformer(GraphBuilder& b, ValueId x, ValueId conditioning, const WeightScope& w,
                            const SpatialTransformerOptions& o) {
  const Shape picture = b.shape(x);
  const int64_t channels = picture[1];
  const Conv2dOptions pointwise{.out_channels = channels, .kernel = 1, .padding = 0};
  ValueId h = b.group_norm(x, w.sub("norm"), {.groups = o.groups, .epsilon = 1e-6F});
  h = o.linear_projection ? b.linear(b.tokens(h), w.sub("proj_in"), {.out_channels = channels})
                          : b.tokens(b.conv2d(h, w.sub("proj_in"), pointwise));
  for (int64_t i = 0; i < o.layers; ++i) {
    h = transformer_block(b, h, conditioning, w.sub("transformer_blocks", i), o.heads);
  }
  h = o.linear_projection
          ? b.image(b.linear(h, w.sub("proj_out"), {.out_channels = channels}), picture[2], picture[3])
          : b.conv2d(b.image(h, picture[2], picture[3]), w.sub("proj_out"), pointwise);
  return b.name(b.add(x, h), w);
}

}  // namespace snug
