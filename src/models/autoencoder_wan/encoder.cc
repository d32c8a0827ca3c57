#include "models/autoencoder_wan/autoencoder_wan.h"
#include "models/autoencoder_wan/blocks.h"
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

}  // namespace

void build_wan_encoder(GraphBuilder& b, const AutoencoderWanConfig& config, const WeightScope& w,
                       const ClipSize& clip) {
  const WeightScope encoder = w.sub("encoder");
  ValueId x =
      b.input("clip", DType::kF32, {1, 3, clip.frames, clip.height, clip.width}, Variability::kRequest);
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

}  // namespace snug
