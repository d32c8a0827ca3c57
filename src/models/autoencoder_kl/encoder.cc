#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/autoencoder_kl/mid_block.h"
#include "models/resnet_block.h"

namespace snug {

void build_vae_encoder(GraphBuilder& b, const AutoencoderKlConfig& config, const WeightScope& vae,
                       const PictureSize& size) {
  const WeightScope w = vae.sub("encoder");
  ValueId x = b.input("image", DType::kF32, {size.batch, config.in_channels, size.height, size.width},
                      Variability::kLatents);
  x = b.conv2d(x, w.sub("conv_in"), {.out_channels = config.channels.front()});
  for (size_t level = 0; level < config.channels.size(); ++level) {
    const WeightScope block = w.sub("down_blocks", static_cast<int64_t>(level));
    const int64_t channels = config.channels[level];
    for (int64_t i = 0; i < config.layers; ++i) {
      x = resnet_block(b, x, kNoValue, block.sub("resnets", i),
                       {channels, config.groups, kAutoencoderEpsilon});
    }
    if (level + 1 < config.channels.size()) {
      x = b.conv2d(x, block.sub("downsamplers.0.conv"),
                   {.out_channels = channels, .stride = 2, .pad_end_only = true});
    }
  }
  x = autoencoder_mid_block(b, x, w.sub("mid_block"), config);
  x = b.group_norm(x, w.sub("conv_norm_out"), {config.groups, kAutoencoderEpsilon});
  x = b.activation(x, Activation::kSilu);
  const int64_t moments = 2 * config.latent_channels;
  x = b.conv2d(x, w.sub("conv_out"), {.out_channels = moments});
  if (config.quant_conv) {
    x = b.conv2d(x, vae.sub("quant_conv"), {.out_channels = moments, .kernel = 1, .padding = 0});
  }
  b.output(x, "moments");
}

}  // namespace snug
