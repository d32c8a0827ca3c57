// The spatial transformer of latent diffusion (Rombach et al., 2022): self-attention among the pixels,
// cross-attention to the text, and a gated feed-forward layer. Weight names as in diffusers'
// Transformer2DModel.
#pragma once

#include "graph/builder.h"

namespace snug {

struct SpatialTransformerOptions {
  int64_t heads = 8;
  int64_t layers = 1;
  int64_t groups = 32;
  bool linear_projection = false;
};

// x [N,C,H,W], conditioning [N,L,D] → [N,C,H,W].
ValueId spatial_transformer(GraphBuilder& b, ValueId x, ValueId conditioning, const WeightScope& w,
                            const SpatialTransformerOptions& options);

}  // namespace snug
