#include "models/wan_transformer/wan_transformer.h"

#include <cmath>

namespace snug {
namespace {

// Rows of a block's table and of what the timestep gives it.
enum BlockRow : int64_t { kShift1, kScale1, kGate1, kShift2, kScale2, kGate2, kBlockRows };

// What every block needs besides its input.
struct Context {
  const WanTransformerConfig& config;
  RotaryAttrs places;
  ValueId text = kNoValue;
  ValueId time = kNoValue, first_time = kNoValue;  // [1, kBlockRows · C]
  int64_t first_tokens = 0;
};

struct Times {
  ValueId embedded = kNoValue;   // [1, C]
  ValueId projected = kNoValue;  // [1, kBlockRows · C]
};

Times embed_time(GraphBuilder& b, ValueId timestep, const WeightScope& w, const WanTransformerConfig& c) {
  const WeightScope embedder = w.sub("time_embedder");
  const LinearOptions wide{.out_channels = c.channels()};
  Times times;
  ValueId x = b.timestep_embedding(timestep, {c.frequency_channels, true, 0});
  x = b.activation(b.linear(x, embedder.sub("linear_1"), wide), Activation::kSilu);
  times.embedded = b.name(b.linear(x, embedder.sub("linear_2"), wide), embedder);
  times.projected = b.linear(b.activation(times.embedded, Activation::kSilu), w.sub("time_proj"),
                             {.out_channels = kBlockRows * c.channels()});
  return times;
}

ValueId embed_text(GraphBuilder& b, ValueId conditioning, const WeightScope& w,
                   const WanTransformerConfig& c) {
  const LinearOptions wide{.out_channels = c.channels()};
  const ValueId x = b.activation(b.linear(conditioning, w.sub("linear_1"), wide), Activation::kGeluTanh);
  return b.name(b.linear(x, w.sub("linear_2"), wide), w);
}

// Of `x` to `context`; positions turn queries and keys of self-attention.
ValueId attention_layer(GraphBuilder& b, ValueId x, ValueId context, const WeightScope& w, const Context& c) {
  const LinearOptions square{.out_channels = c.config.channels()};
  const NormOptions norm{.epsilon = c.config.epsilon};
  ValueId q = b.rms_norm(b.linear(x, w.sub("to_q"), square), w.sub("norm_q"), norm);
  ValueId k = b.rms_norm(b.linear(context, w.sub("to_k"), square), w.sub("norm_k"), norm);
  const ValueId v = b.linear(context, w.sub("to_v"), square);
  if (x == context) {
    q = b.rotary(q, c.places);
    k = b.rotary(k, c.places);
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(c.config.head_channels));
  const ValueId mixed = b.attention(q, k, v, {.heads = c.config.heads, .scale = scale});
  return b.name(b.linear(mixed, w.sub("to_out.0"), square), w);
}

ValueId feed_forward(GraphBuilder& b, ValueId x, const WeightScope& w, const WanTransformerConfig& c) {
  x = b.linear(x, w.sub("net.0.proj"), {.out_channels = c.feed_forward_channels});
  x = b.activation(x, Activation::kGeluTanh);
  return b.name(b.linear(x, w.sub("net.2"), {.out_channels = c.channels()}), w);
}

ValueId transformer_block(GraphBuilder& b, ValueId x, const WeightScope& w, const Context& c) {
  const float epsilon = c.config.epsilon;
  const TimeRows rows{c.time, b.weight(w, "scale_shift_table", Shape{kBlockRows * c.config.channels()}),
                      c.first_time};
  ValueId h = b.modulate(x, rows, {kShift1, kScale1, c.first_tokens, epsilon});
  h = attention_layer(b, h, h, w.sub("attn1"), c);
  x = b.gated_add(x, h, rows, {kGate1, c.first_tokens});
  h = b.layer_norm(x, w.sub("norm2"), {.epsilon = epsilon});
  x = b.add(x, attention_layer(b, h, c.text, w.sub("attn2"), c));
  h = b.modulate(x, rows, {kShift2, kScale2, c.first_tokens, epsilon});
  h = feed_forward(b, h, w.sub("ffn"), c.config);
  return b.name(b.gated_add(x, h, rows, {kGate2, c.first_tokens}), w);
}

// Tokens of patches back to latents.
ValueId unpatch(GraphBuilder& b, ValueId x, const WanTransformerConfig& c, const RotaryAttrs& places) {
  BlockAttrs block;
  block.side = c.patch;
  block.row = c.patch * c.out_channels;
  block.column = c.out_channels;
  return b.depth_to_space(b.clip(x, places.frames, places.height, places.width), block);
}

}  // namespace

void build_wan_transformer(GraphBuilder& b, const WanTransformerConfig& config, const WeightScope& w,
                           const WanTransformerRequest& r) {
  const ValueId latents =
      b.input("latents", DType::kF32, {r.batch, config.in_channels, r.frames, r.height, r.width},
              Variability::kLatents);
  const ValueId timestep = b.input("timestep", DType::kF32, {1}, Variability::kTimestep);
  // Not as what a request has once: keys and values of all blocks, kept for all steps, would be as large as a
  // tenth of the weights, and making them anew costs less than a hundredth of a step.
  const ValueId conditioning = b.input("conditioning", DType::kF32,
                                       {r.batch, r.text_length, config.text_channels}, Variability::kLatents);
  const WeightScope embedder = w.sub("condition_embedder");
  Context c{config, {config.heads, r.frames, r.height / config.patch, r.width / config.patch}};
  const Times times = embed_time(b, timestep, embedder, config);
  c.time = times.projected;
  Times first;
  if (r.first_frame_given) {
    first =
        embed_time(b, b.input("first_timestep", DType::kF32, {1}, Variability::kRequest), embedder, config);
    c.first_time = first.projected;
    c.first_tokens = c.places.height * c.places.width;
  }
  c.text = embed_text(b, conditioning, embedder.sub("text_embedder"), config);

  Conv3dOptions patches{.out_channels = config.channels(), .time_kernel = 1, .kernel = config.patch};
  patches.stride = config.patch;
  patches.padding = patches.time_padding = 0;
  ValueId x = b.tokens(b.conv3d(latents, w.sub("patch_embedding"), patches));
  for (int64_t i = 0; i < config.layers; ++i) x = transformer_block(b, x, w.sub("blocks", i), c);
  const TimeRows rows{times.embedded, b.weight(w, "scale_shift_table", Shape{2 * config.channels()}),
                      first.embedded};
  x = b.modulate(x, rows, {0, 1, c.first_tokens, config.epsilon});
  x = b.linear(x, w.sub("proj_out"), {.out_channels = config.patch * config.patch * config.out_channels});
  b.output(unpatch(b, x, config, c.places), "model_output");
}

}  // namespace snug
