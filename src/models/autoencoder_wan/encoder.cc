#include "models/autoencoder_wan/autoencoder_wan.h"
#include "models/autoencoder_wan/blocks.h"
#include "models/autoencoder_wan/given_pictures.h"
#include "models/autoencoder_wan/patches.h"

namespace snug {
namespace {

// What goes round a level: means of the values that become one.
ValueId mean_shortcut(GraphBuilder& b, ValueId x, int64_t out_channels, bool halves_frames,
                      bool halves_size) {
  const Shape& clip = b.shape(x);
  BlockAttrs block;
  block.frames = halves_frames ? 2 : 1;
  block.side = halves_size ? 2 : 1;
  block.column = 1;
  block.row = block.side;
  block.time = block.side * block.side;
  block.channel = block.frames * block.time;
  block.group = clip[1] * block.channel / out_channels;
  block.front = (block.frames - clip[2] % block.frames) % block.frames;
  return b.space_to_depth(x, block);
}

// Levels are blocks of their own where they have shortcuts, else blocks and downsamplers follow each other.
ValueId levels(GraphBuilder& b, ValueId x, const AutoencoderWanConfig& config, const WeightScope& w) {
  int64_t number = 0;
  for (size_t i = 0; i < config.multiples.size(); ++i) {
    const int64_t channels = config.encoder_channels * config.multiples[i];
    const bool halves = i + 1 < config.multiples.size();
    const bool halves_frames = halves && config.halves_frames[i];
    const ValueId before = x;
    const WeightScope level = w.sub("down_blocks", static_cast<int64_t>(i));
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      const WeightScope block =
          config.residual ? level.sub("resnets", layer) : w.sub("down_blocks", number++);
      x = wan_vae::resnet(b, x, block, channels);
    }
    if (halves) {
      const WeightScope block = config.residual ? level.sub("downsampler") : w.sub("down_blocks", number++);
      x = wan_vae::downsample(b, x, block, halves_frames);
    }
    if (config.residual)
      x = b.name(b.add(mean_shortcut(b, before, channels, halves_frames, halves), x), level);
  }
  return x;
}

// clip [1,3,T,H,W] → the output.
void encode(GraphBuilder& b, ValueId x, const AutoencoderWanConfig& config, const WeightScope& w) {
  const WeightScope encoder = w.sub("encoder");
  if (config.patch > 1) x = b.space_to_depth(x, wan_vae::pixel_patches(config.patch));
  x = wan_vae::causal_conv(b, x, encoder.sub("conv_in"), config.encoder_channels * config.multiples.front(),
                           3);
  x = levels(b, x, config, encoder);
  x = wan_vae::mid_block(b, x, encoder.sub("mid_block"));
  x = wan_vae::norm_silu(b, x, encoder.sub("norm_out"));
  x = wan_vae::causal_conv(b, x, encoder.sub("conv_out"), 2 * config.latent_channels, 3);
  x = wan_vae::causal_conv(b, x, w.sub("quant_conv"), 2 * config.latent_channels, 1);
  b.output(x, "moments");
}

// Of pairs of channels the first becomes frame 0, the second all later ones.
BlockAttrs first_then_others(int64_t frames) {
  BlockAttrs block;
  block.group = frames - 1;
  block.frames = 2 * block.group;
  block.channel = block.frames;
  block.time = 1;
  block.front = frames - 2;
  return block;
}

}  // namespace

void build_wan_encoder(GraphBuilder& b, const AutoencoderWanConfig& config, const WeightScope& w,
                       const ClipSize& clip) {
  const Shape shape{1, 3, clip.frames, clip.height, clip.width};
  encode(b, b.input("clip", DType::kF32, shape, Variability::kRequest), config, w);
}

void build_wan_picture_encoder(GraphBuilder& b, const AutoencoderWanConfig& config, const WeightScope& w,
                               const ClipSize& clip, GivenFrames given) {
  const ValueId pair =
      b.input("picture_and_zeros", DType::kF32, {1, 6, 1, clip.height, clip.width}, Variability::kRequest);
  ValueId x = b.depth_to_space(pair, first_then_others(clip.frames));
  if (given == GivenFrames::kFirstAndLast) {
    BlockAttrs zeros_before;
    zeros_before.front = clip.frames - 1;
    const ValueId last =
        b.input("last", DType::kF32, {1, 3, 1, clip.height, clip.width}, Variability::kRequest);
    x = b.add(x, b.space_to_depth(last, zeros_before));
  }
  encode(b, x, config, w);
}

}  // namespace snug
