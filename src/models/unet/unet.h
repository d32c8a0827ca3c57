// The denoising UNet of Stable Diffusion 1.x, 2.x and XL (Rombach et al., 2022; Ronneberger et al., 2015;
// Podell et al., 2023), as a graph for one exact request. Weight names as in diffusers' UNet2DConditionModel.
#pragma once

#include "graph/builder.h"
#include "models/unet/config.h"

namespace snug {

struct UnetRequest {
  int64_t batch = 1;   // N, guidance included
  int64_t height = 0;  // of the latents; any size, also one that the levels do not divide
  int64_t width = 0;
  int64_t context_length = 77;  // L
  int64_t timesteps = 1;        // one shared by the batch, or N
};

// latents [N,C,h,w], timestep [1 or N] (F32, may be fractional), conditioning [N,L,D] → model_output
// [N,out_channels,h,w]: what the training target was (noise or v) is the sampler's to know. With an added
// embedding also text_embeds [N,P], the prompts' vectors, and time_ids [N·numbers], for each picture the
// numbers that the embedding has. Throws missing_tensor, shape_mismatch.
void build_unet(GraphBuilder& b, const UnetConfig& config, const WeightScope& w, const UnetRequest& request);

}  // namespace snug
