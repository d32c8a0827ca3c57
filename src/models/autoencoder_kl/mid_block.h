// The innermost part of the encoder and of the decoder: self-attention among the pixels between two ResNet
// blocks.
#pragma once

#include "graph/builder.h"
#include "models/autoencoder_kl/config.h"

namespace snug {

inline constexpr float kAutoencoderEpsilon = 1e-6F;

// x [N,C,H,W] → the same shape.
ValueId autoencoder_mid_block(GraphBuilder& b, ValueId x, const WeightScope& w,
                              const AutoencoderKlConfig& config);

}  // namespace snug
