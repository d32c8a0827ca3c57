#include "models/unet/unet.h"

#include "base/check.h"
#include "models/resnet_block.h"
#include "models/unet/transformer.h"

namespace snug {
namespace {

// What every block needs besides its input.
struct Context {
  GraphBuilder& b;
  const UnetConfig& config;
  ValueId time;
  ValueId conditioning;
};

ValueId resnet(const Context& c, ValueId x, const WeightScope& w, int64_t channels) {
  return resnet_block(c.b, x, c.time, w, {channels, c.config.groups, c.config.epsilon});
}

ValueId transformer(const Context& c, ValueId x, const WeightScope& w, const UnetLevel& level) {
  return spatial_transformer(
      c.b, x, c.conditioning, w,
      {level.heads, level.transformer_layers, c.config.groups, c.config.linear_projection});
}

// Appends to `skips` what the way up takes over: every layer's output, and the downsampled one.
ValueId down_block(const Context& c, ValueId x, const WeightScope& w, const UnetLevel& level, bool downsample,
                   std::vector<ValueId>& skips) {
  for (int64_t i = 0; i < level.layers; ++i) {
    x = resnet(c, x, w.sub("resnets", i), level.channels);
    if (level.attention_down) x = transformer(c, x, w.sub("attentions", i), level);
    skips.push_back(x);
  }
  if (downsample) {
    x = c.b.conv2d(x, w.sub("downsamplers.0.conv"),
                   {.out_channels = level.channels, .stride = 2, .pad_end_only = c.config.pad_end_only});
    skips.push_back(x);
  }
  return x;
}

ValueId mid_block(const Context& c, ValueId x, const WeightScope& w, const UnetLevel& level) {
  x = resnet(c, x, w.sub("resnets.0"), level.channels);
  x = transformer(c, x, w.sub("attentions.0"), level);
  return resnet(c, x, w.sub("resnets.1"), level.channels);
}

ValueId up_block(const Context& c, ValueId x, const WeightScope& w, const UnetLevel& level,
                 std::vector<ValueId>& skips) {
  for (int64_t i = 0; i < level.layers + 1; ++i) {
    const ValueId parts[] = {x, skips.back()};
    skips.pop_back();
    x = resnet(c, c.b.concat(parts, 1), w.sub("resnets", i), level.channels);
    if (level.attention_up) x = transformer(c, x, w.sub("attentions", i), level);
  }
  if (!skips.empty()) {
    // To the size of the next skip, which is not always the double.
    const Shape& target = c.b.shape(skips.back());
    x = c.b.upsample_nearest(x, target[2], target[3]);
    x = c.b.conv2d(x, w.sub("upsamplers.0.conv"), {.out_channels = level.channels});
  }
  return x;
}

// Two layers, four times as wide as the first level.
ValueId embedding_layers(GraphBuilder& b, const UnetConfig& config, ValueId x, const WeightScope& w) {
  constexpr int64_t kWidening = 4;
  const LinearOptions wide{.out_channels = kWidening * config.levels.front().channels};
  x = b.activation(b.linear(x, w.sub("linear_1"), wide), Activation::kSilu);
  return b.name(b.linear(x, w.sub("linear_2"), wide), w);
}

// What depends on prompt and sizes, and not on the timestep: [N, 4 C].
ValueId added_embedding(GraphBuilder& b, const UnetConfig& config, int64_t batch, const WeightScope& w) {
  const AddedEmbedding& added = config.added;
  const ValueId text =
      b.input("text_embeds", DType::kF32, {batch, added.text_channels()}, Variability::kRequest);
  const ValueId numbers = b.input("time_ids", DType::kF32, {batch * added.numbers}, Variability::kRequest);
  const ValueId waves =
      b.timestep_embedding(numbers, {added.number_channels, config.cosines_first, config.frequency_shift});
  const ValueId parts[] = {text, b.reshape(waves, {batch, added.numbers * added.number_channels})};
  return embedding_layers(b, config, b.concat(parts, 1), w);
}

// The embedding of the timestep, and of what is added to it, as every block takes it: activated.
ValueId block_embedding(GraphBuilder& b, const UnetConfig& config, const UnetRequest& r, const WeightScope& w,
                        ValueId timestep) {
  const int64_t channels = config.levels.front().channels;
  ValueId time = b.timestep_embedding(timestep, {channels, config.cosines_first, config.frequency_shift});
  time = embedding_layers(b, config, time, w.sub("time_embedding"));
  if (config.added.present()) {
    const ValueId added = added_embedding(b, config, r.batch, w.sub("add_embedding"));
    // One for all pictures repeats.
    if (r.timesteps == 1) time = b.reshape(time, {b.shape(time)[1]});
    time = b.add(added, time);
  }
  return b.activation(time, Activation::kSilu);
}

}  // namespace

void build_unet(GraphBuilder& b, const UnetConfig& config, const WeightScope& w, const UnetRequest& r) {
  SNUG_CHECK(r.timesteps == 1 || r.timesteps == r.batch, "one timestep for all, or one for each");
  SNUG_CHECK(!config.added.present() || config.added.numbers > 0, "how many numbers are added is known");
  const ValueId latents = b.input("latents", DType::kF32, {r.batch, config.in_channels, r.height, r.width},
                                  Variability::kLatents);
  const ValueId timestep = b.input("timestep", DType::kF32, {r.timesteps}, Variability::kTimestep);
  const ValueId conditioning =
      b.input("conditioning", DType::kF32, {r.batch, r.context_length, config.cross_attention_dim},
              Variability::kRequest);
  const Context c{b, config, block_embedding(b, config, r, w, timestep), conditioning};

  ValueId x = b.conv2d(latents, w.sub("conv_in"), {.out_channels = config.levels.front().channels});
  std::vector<ValueId> skips = {x};
  const size_t levels = config.levels.size();
  for (size_t i = 0; i < levels; ++i) {
    const WeightScope block = w.sub("down_blocks", static_cast<int64_t>(i));
    x = down_block(c, x, block, config.levels[i], i + 1 < levels, skips);
  }
  x = mid_block(c, x, w.sub("mid_block"), config.levels.back());
  for (size_t i = 0; i < levels; ++i) {
    x = up_block(c, x, w.sub("up_blocks", static_cast<int64_t>(i)), config.levels[levels - 1 - i], skips);
  }
  x = b.group_norm(x, w.sub("conv_norm_out"), {config.groups, config.epsilon});
  x = b.activation(x, Activation::kSilu);
  x = b.conv2d(x, w.sub("conv_out"), {.out_channels = config.out_channels});
  b.output(x, "model_output");
}

}  // namespace snug
