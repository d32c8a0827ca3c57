// A user's picture and mask in the form that the model takes.
#pragma once

#include "media/picture.h"
#include "tensor/host_tensor.h"

namespace snug {

// [1,3,H,W] in [-1,1], resampled when the picture has another size.
HostTensor request_image(const Picture& picture, int64_t width, int64_t height);
// [1,1,H,W] of 0 and 1: white, or transparent where there is an alpha channel, is repainted. Halves count as
// white, as diffusers binarises.
HostTensor request_mask(const Picture& picture, int64_t width, int64_t height);
// The mask for latents: nearest pixel, as torch's interpolate(mode="nearest") picks it. [h,w].
std::vector<float> latent_mask(const HostTensor& mask, int64_t latent_height, int64_t latent_width);

}  // namespace snug
