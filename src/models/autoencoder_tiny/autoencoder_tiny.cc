#include "models/autoencoder_tiny/autoencoder_tiny.h"

namespace snug {
namespace {

// Three convolutions with ReLU between them, the input added, and ReLU.
ValueId block(GraphBuilder& b, ValueId x, const WeightScope& w) {
  const Conv2dOptions same_width{.out_channels = b.shape(x)[1]};
  ValueId h = b.activation(b.conv2d(x, w.sub("conv.0"), same_width), Activation::kRelu);
  h = b.activation(b.conv2d(h, w.sub("conv.2"), same_width), Activation::kRelu);
  h = b.conv2d(h, w.sub("conv.4"), same_width);
  return b.name(b.activation(b.add(x, h), Activation::kRelu), w);
}

}  // namespace

void build_tiny_encoder(GraphBuilder& b, const AutoencoderTinyConfig& config, const WeightScope& w,
                        const PictureSize& size) {
  const Shape picture{size.batch, config.in_channels, size.height, size.width};
  const int64_t channels = config.encoder_channels;
  int64_t layer = 0;
  const auto next = [&w, &layer] { return w.sub("encoder.layers", layer++); };

  ValueId x = b.input("image", DType::kF32, picture, Variability::kLatents);
  x = b.affine(x, 0.5F, 0.5F);  // to [0,1]
  x = b.conv2d(x, next(), {.out_channels = channels});
  for (size_t level = 0; level < config.encoder_blocks.size(); ++level) {
    if (level > 0) x = b.conv2d(x, next(), {.out_channels = channels, .stride = 2, .bias = false});
    for (int64_t i = 0; i < config.encoder_blocks[level]; ++i) x = block(b, x, next());
  }
  x = b.conv2d(x, next(), {.out_channels = config.latent_channels});
  b.output(x, "latents");
}

void build_tiny_decoder(GraphBuilder& b, const AutoencoderTinyConfig& config, const WeightScope& w,
                        const PictureSize& size) {
  constexpr float kSoftLimit = 3;  // latents are squeezed into ±3
  const Shape latents{size.batch, config.latent_channels, size.height, size.width};
  const int64_t channels = config.decoder_channels;
  int64_t layer = 0;
  const auto next = [&w, &layer] { return w.sub("decoder.layers", layer++); };

  ValueId x = b.input("latents", DType::kF32, latents, Variability::kLatents);
  x = b.affine(x, 1 / kSoftLimit, 0);
  x = b.affine(b.activation(x, Activation::kTanh), kSoftLimit, 0);
  x = b.activation(b.conv2d(x, next(), {.out_channels = channels}), Activation::kRelu);
  ++layer;  // the ReLU
  const size_t levels = config.decoder_blocks.size();
  for (size_t level = 0; level < levels; ++level) {
    for (int64_t i = 0; i < config.decoder_blocks[level]; ++i) x = block(b, x, next());
    if (level + 1 < levels) {
      x = b.upsample_nearest(x, 2 * b.shape(x)[2], 2 * b.shape(x)[3]);
      ++layer;  // the doubling
      x = b.conv2d(x, next(), {.out_channels = channels, .bias = false});
    }
  }
  x = b.conv2d(x, next(), {.out_channels = config.out_channels});
  b.output(b.affine(x, 2, -1), "image");  // from [0,1]
}

}  // namespace snug
