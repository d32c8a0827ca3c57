// Classifier-free guidance: the model's outputs for the prompt and for the negative prompt become one.
//
// pipeline/denoise calls it between the model and Sampler::step, and does not when guidance_scale is 1 (then
// there is no negative half). Source: Ho and Salimans, "Classifier-Free Diffusion Guidance" (2022).
#pragma once

#include <span>

namespace snug {

// out = negative + guidance_scale * (positive - negative), elementwise; all of one length. `out` may be
// either input.
void combine_guidance(std::span<const float> negative, std::span<const float> positive, float guidance_scale,
                      std::span<float> out);

}  // namespace snug
