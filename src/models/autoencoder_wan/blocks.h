// What encoder and decoder of Wan's autoencoders are made of.
#pragma once

#include "graph/builder.h"

namespace snug::wan_vae {

// A convolution of `kernel` frames, rows and columns that sees no later frames.
ValueId causal_conv(GraphBuilder& b, ValueId x, const WeightScope& w, int64_t out_channels, int64_t kernel);
// Norm and activation as they stand before every convolution.
ValueId norm_silu(GraphBuilder& b, ValueId x, const WeightScope& w);
ValueId resnet(GraphBuilder& b, ValueId x, const WeightScope& w, int64_t out_channels);
// ResNet, attention of each frame's pixels to each other, ResNet.
ValueId mid_block(GraphBuilder& b, ValueId x, const WeightScope& w);
// To half the size, and half the frames but the first.
ValueId downsample(GraphBuilder& b, ValueId x, const WeightScope& w, bool halves_frames);
// To twice the size, and twice the frames but the first.
ValueId upsample(GraphBuilder& b, ValueId x, const WeightScope& w, int64_t out_channels, bool doubles_frames);

}  // namespace snug::wan_vae
