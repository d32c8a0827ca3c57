// Wan's video diffusion transformer (Wan team, 2025, "Wan: Open and Advanced Large-Scale Video Generative
// Models"). Weight names as in diffusers' WanTransformer3DModel.
#pragma once

#include "graph/builder.h"
#include "models/wan_transformer/config.h"

namespace snug {

struct WanTransformerRequest {
  int64_t batch = 1;
  int64_t frames = 0, height = 0, width = 0;  // of the latents
  int64_t text_length = 512;                  // rows of the conditioning, with those of zeros behind the text
  // The first latent frame is given and has a time of its own: a second timestep input.
  bool first_frame_given = false;
};

// latents [B,C,T,h,w], timestep [1], first_timestep [1] where the first frame is given, conditioning
// [B,text_length,text_channels] → model_output [B,out_channels,T,h,w]. h and w are multiples of the patch.
// All samples share their times. The text's rows of zeros are attended to like the others, as the model was
// trained. Throws missing_tensor, shape_mismatch.
void build_wan_transformer(GraphBuilder& b, const WanTransformerConfig& config, const WeightScope& w,
                           const WanTransformerRequest& request);

}  // namespace snug
