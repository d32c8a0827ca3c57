// The tiny autoencoder (TAESD, Ollin Boer Bohan): residual blocks of three convolutions, no norms and no
// attention, so it needs little memory and any size costs the same per pixel. Weight names as in diffusers'
// AutoencoderTiny, whose layers are numbered with the activations and doublings among them.
#pragma once

#include "graph/builder.h"
#include "models/autoencoder_tiny/config.h"
#include "models/picture_size.h"

namespace snug {

// image [B,3,H,W] in [-1,1] → latents [B,latent_channels,H/f,W/f], before scaling. There is no variance:
// nothing is drawn. Throws missing_tensor, shape_mismatch.
void build_tiny_encoder(GraphBuilder& b, const AutoencoderTinyConfig& config, const WeightScope& w,
                        const PictureSize& image);

// latents [B,latent_channels,h,w], already divided by the scaling factor → image [B,3,f·h,f·w], about
// [-1,1], not clamped.
void build_tiny_decoder(GraphBuilder& b, const AutoencoderTinyConfig& config, const WeightScope& w,
                        const PictureSize& latents);

}  // namespace snug
