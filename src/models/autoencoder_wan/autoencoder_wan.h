// Wan's video autoencoders (Wan team, 2025): clips to latents and back. Weight names as in diffusers'
// AutoencoderKLWan.
//
// Everything is causal in time: the first frame is a latent frame by itself, each further latent frame stands
// for the next four. So the graph of a whole clip can be computed frame after frame: the planner does,
// keeping of each value the two last frames that later ones read.
#pragma once

#include "graph/builder.h"
#include "models/autoencoder_wan/config.h"

namespace snug {

// Of a clip in pixels, or of its latents.
struct ClipSize {
  int64_t frames = 1, height = 0, width = 0;
};

// clip [1,3,T,H,W] in [-1,1], T = 1 + 4 k → moments [1,2 z,1 + k,H/f,W/f]: mean, then log variance, of
// latents before they are normalised. Throws missing_tensor, shape_mismatch.
void build_wan_encoder(GraphBuilder& b, const AutoencoderWanConfig& config, const WeightScope& w,
                       const ClipSize& clip);

// latents [1,z,t,h,w], as they were before they were normalised → clip [1,3,1 + 4 (t - 1),f h,f w], about
// [-1,1], not clamped.
void build_wan_decoder(GraphBuilder& b, const AutoencoderWanConfig& config, const WeightScope& w,
                       const ClipSize& latents);

}  // namespace snug
