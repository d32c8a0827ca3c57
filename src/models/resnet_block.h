// The residual block of the UNet and of AutoencoderKL (He et al., 2015; with group norms and the timestep
// added between the convolutions as in Ho et al., 2020). Weight names as in diffusers' ResnetBlock2D.
#pragma once

#include "graph/builder.h"

namespace snug {

struct ResnetBlockOptions {
  int64_t out_channels = 0;
  int64_t groups = 32;
  float epsilon = 1e-5F;
};

// x [N,C,H,W] → [N,out_channels,H,W]. `time` [N or 1, T] is the activated timestep embedding, kNoValue where
// the model has none.
ValueId resnet_block(GraphBuilder& b, ValueId x, ValueId time, const WeightScope& w,
                     const ResnetBlockOptions& options);

}  // namespace snug
