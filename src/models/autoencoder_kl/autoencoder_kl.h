// The autoencoder of Stable Diffusion (Rombach et al., 2022): pictures to latents and back. Weight names as
// in diffusers' AutoencoderKL.
#pragma once

#include "graph/builder.h"
#include "models/autoencoder_kl/config.h"
#include "models/picture_size.h"

namespace snug {

// image [B,3,H,W] in [-1,1] → moments [B,2·latent_channels,H/f,W/f]: mean, then log variance, of latents
// before scaling. Throws missing_tensor, shape_mismatch.
void build_vae_encoder(GraphBuilder& b, const AutoencoderKlConfig& config, const WeightScope& w,
                       const PictureSize& image);

// latents [B,latent_channels,h,w], already divided by the scaling factor → image [B,3,f·h,f·w], about
// [-1,1], not clamped.
void build_vae_decoder(GraphBuilder& b, const AutoencoderKlConfig& config, const WeightScope& w,
                       const PictureSize& latents);

}  // namespace snug
