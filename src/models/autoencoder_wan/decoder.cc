#include "models/autoencoder_wan/autoencoder_wan.h"
#include "models/autoencoder_wan/blocks.h"
#include "models/autoencoder_wan/patches.h"

namespace snug {
namespace {

// What goes round a level: each value repeated to where it becomes several.
ValueId repeat_shortcut(GraphBuilder& b, ValueId x, int64_t out_channels, bool doubles_frames) {
  BlockAttrs block;
  block.frames = doubles_frames ? 2 : 1;
  block.side = 2;
  block.column = 1;
  block.row = 2;
  block.time = 4;
  block.channel = 4 * block.frames;
  block.group = out_channels * block.channel / b.shape(x)[1];
  block.front = block.frames - 1;
  return b.depth_to_space(x, block);
}

ValueId levels(GraphBuilder& b, ValueId x, const AutoencoderWanConfig& config, const WeightScope& w) {
  const size_t count = config.multiples.size();
  for (size_t i = 0; i < count; ++i) {
    const int64_t channels = config.decoder_channels * config.multiples[count - 1 - i];
    const bool doubles = i + 1 < count;
    const bool doubles_frames = doubles && config.halves_frames[count - 2 - i];
    const ValueId before = x;
    const WeightScope level = w.sub("up_blocks", static_cast<int64_t>(i));
    for (int64_t layer = 0; layer <= config.layers; ++layer)
      x = wan_vae::resnet(b, x, level.sub("resnets", layer), channels);
    if (doubles) {
      const WeightScope upsampler = level.sub(config.residual ? "upsampler" : "upsamplers.0");
      x = wan_vae::upsample(b, x, upsampler, config.residual ? channels : channels / 2, doubles_frames);
      if (config.residual) x = b.add(repeat_shortcut(b, before, channels, doubles_frames), x);
    }
    x = b.name(x, level);
  }
  return x;
}

}  // namespace

void build_wan_decoder(GraphBuilder& b, const AutoencoderWanConfig& config, const WeightScope& w,
                       const ClipSize& latents) {
  const WeightScope decoder = w.sub("decoder");
  ValueId x = b.input("latents", DType::kF32,
                      {1, config.latent_channels, latents.frames, latents.height, latents.width},
                      Variability::kRequest);
  x = wan_vae::causal_conv(b, x, w.sub("post_quant_conv"), config.latent_channels, 1);
  x = wan_vae::causal_conv(b, x, decoder.sub("conv_in"), config.decoder_channels * config.multiples.back(),
                           3);
  x = wan_vae::mid_block(b, x, decoder.sub("mid_block"));
  x = levels(b, x, config, decoder);
  x = wan_vae::norm_silu(b, x, decoder.sub("norm_out"));
  x = wan_vae::causal_conv(b, x, decoder.sub("conv_out"), 3 * config.patch * config.patch, 3);
  if (config.patch > 1) x = b.depth_to_space(x, wan_vae::pixel_patches(config.patch));
  b.output(x, "clip");
}

}  // namespace snug
