#include "models/autoencoder_wan/blocks.h"

#include <cmath>

namespace snug::wan_vae {
namespace {

// The norm divides by the length of the channels' vector, or by 1e-12 where that is less: so small that it
// matters for zeros alone.
constexpr NormOptions kNorm{.epsilon = 1e-24F, .scale_tensor = "gamma"};

// Of each frame alone: 3×3, stored without a dimension of time.
Conv3dOptions frame_conv(int64_t out_channels) {
  return {.out_channels = out_channels, .time_kernel = 1, .time_padding = 0, .weight_of_frames = true};
}

// Along time alone.
Conv3dOptions time_conv(int64_t out_channels) {
  return {.out_channels = out_channels, .time_kernel = 3, .kernel = 1, .padding = 0, .time_padding = 2};
}

ValueId attention(GraphBuilder& b, ValueId x, const WeightScope& w) {
  const Shape clip = b.shape(x);
  const int64_t channels = clip[1];
  const ValueId h = b.tokens(b.rms_norm(x, w.sub("norm"), kNorm));
  const ValueId qkv = b.linear_of_pixels(h, w.sub("to_qkv"), {.out_channels = 3 * channels});
  const ValueId q = b.slice(qkv, 2, 0, channels), k = b.slice(qkv, 2, channels, channels);
  const ValueId v = b.slice(qkv, 2, 2 * channels, channels);
  const float scale = 1.0F / std::sqrt(static_cast<float>(channels));
  const ValueId mixed = b.attention(q, k, v, {.heads = 1, .scale = scale, .window = clip[3] * clip[4]});
  const ValueId out = b.linear_of_pixels(mixed, w.sub("proj"), {.out_channels = channels});
  return b.name(b.add(x, b.clip(out, clip[2], clip[3], clip[4])), w);
}

}  // namespace

ValueId causal_conv(GraphBuilder& b, ValueId x, const WeightScope& w, int64_t out_channels, int64_t kernel) {
  return b.conv3d(x, w,
                  {.out_channels = out_channels,
                   .time_kernel = kernel,
                   .kernel = kernel,
                   .padding = kernel / 2,
                   .time_padding = kernel - 1});
}

ValueId norm_silu(GraphBuilder& b, ValueId x, const WeightScope& w) {
  return b.activation(b.rms_norm(x, w, kNorm), Activation::kSilu);
}

ValueId resnet(GraphBuilder& b, ValueId x, const WeightScope& w, int64_t out_channels) {
  const bool widens = b.shape(x)[1] != out_channels;
  const ValueId shortcut = widens ? causal_conv(b, x, w.sub("conv_shortcut"), out_channels, 1) : x;
  ValueId h = causal_conv(b, norm_silu(b, x, w.sub("norm1")), w.sub("conv1"), out_channels, 3);
  h = causal_conv(b, norm_silu(b, h, w.sub("norm2")), w.sub("conv2"), out_channels, 3);
  return b.name(b.add(shortcut, h), w);
}

ValueId mid_block(GraphBuilder& b, ValueId x, const WeightScope& w) {
  const int64_t channels = b.shape(x)[1];
  x = resnet(b, x, w.sub("resnets.0"), channels);
  x = attention(b, x, w.sub("attentions.0"));
  return resnet(b, x, w.sub("resnets.1"), channels);
}

ValueId downsample(GraphBuilder& b, ValueId x, const WeightScope& w, bool halves_frames) {
  const int64_t channels = b.shape(x)[1];
  Conv3dOptions half = frame_conv(channels);
  half.stride = 2;
  half.pad_end_only = true;
  x = b.conv3d(x, w.sub("resample.1"), half);
  if (halves_frames) {
    Conv3dOptions of_time = time_conv(channels);
    of_time.time_stride = 2;
    x = b.first_frame(b.conv3d(x, w.sub("time_conv"), of_time), x);
  }
  return b.name(x, w);
}

ValueId upsample(GraphBuilder& b, ValueId x, const WeightScope& w, int64_t out_channels,
                 bool doubles_frames) {
  const int64_t channels = b.shape(x)[1];
  if (doubles_frames) {
    // The first frame stays one, and later ones are made as if it had not been.
    Conv3dOptions of_time = time_conv(2 * channels);
    of_time.unseen_frames = 1;
    const ValueId pairs = b.conv3d(x, w.sub("time_conv"), of_time);
    BlockAttrs frames;
    frames.frames = 2;
    frames.time = channels;
    frames.front = 1;
    x = b.first_frame(b.depth_to_space(pairs, frames), x);
  }
  BlockAttrs twice;
  twice.side = 2;
  return b.name(b.conv3d(b.depth_to_space(x, twice), w.sub("resample.1"), frame_conv(out_channels)), w);
}

}  // namespace snug::wan_vae
