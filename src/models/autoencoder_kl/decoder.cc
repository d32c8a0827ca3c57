#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/autoencoder_kl/mid_block.h"
#include "models/resnet_block.h"

namespace snug {

void build_vae_decoder(GraphBuilder& b, const AutoencoderKlConfig& config, const WeightScope& vae,
                       const PictureSize& size) {
  const WeightScope w = vae.sub("decoder");
  const Shape latents{size.batch, config.latent_channels, size.height, size.width};
  ValueId x = b.input("latents", DType::kF32, latents, Variability::kLatents);
  if (config.post_quant_conv) {
    x = b.conv2d(x, vae.sub("post_quant_conv"),
                 {.out_channels = config.latent_channels, .kernel = 1, .padding = 0});
  }
  x = b.conv2d(x, w.sub("conv_in"), {.out_channels = config.channels.back()});
  x = autoencoder_mid_block(b, x, w.sub("mid_block"), config);
  const size_t levels = config.channels.size();
  for (size_t up = 0; up < levels; ++up) {
    const WeightScope block = w.sub("up_blocks", static_cast<int64_t>(up));
    const int64_t channels = config.channels[levels - 1 - up];
    for (int64_t i = 0; i < config.layers + 1; ++i) {
      x = resnet_block(b, x, kNoValue, block.sub("resnets", i),
                       {channels, config.groups, kAutoencoderEpsilon});
    }
    if (up + 1 < levels) {
      x = b.upsample_nearest(x, 2 * b.shape(x)[2], 2 * b.shape(x)[3]);
      x = b.conv2d(x, block.sub("upsamplers.0.conv"), {.out_channels = channels});
    }
  }
  x = b.group_norm(x, w.sub("conv_norm_out"), {config.groups, kAutoencoderEpsilon});
  x = b.activation(x, Activation::kSilu);
  x = b.conv2d(x, w.sub("conv_out"), {.out_channels = config.out_channels});
  b.output(x, "image");
}

}  // namespace snug
