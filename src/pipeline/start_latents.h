// Where denoising starts: noise, a picture with noise on it, or given latents: noise, or what another model
// left of its part of a shared schedule. Part of the denoise stage.
//
// The order in which noise is drawn is that of diffusers' pipelines, so that a seed gives the same picture:
// the autoencoder's sample of the picture (where it has a variance), the start noise, and for inpainting the
// sample of the masked picture, which a 4-channel UNet does not use.
#pragma once

#include <vector>

#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

struct StartLatents {
  HostTensor latents;            // [batch,C,h,w] as the first call expects them, before input_factor
  HostTensor noise;              // the start noise
  HostTensor image_latents;      // the picture's, scaled; empty without one
  std::vector<float> keep_mask;  // [h,w], 1 where the picture is repainted; empty without a mask
  // Of clips: channels that the model takes behind those of the latents, [C',t,h,w]; and the first frame of
  // the latents, which is given, [1,C,1,h,w]. Empty where there are none.
  std::vector<float> beside;
  HostTensor first_frame;
};

StartLatents start_latents(const PlannedRun& run, const Request& request, const Model& model,
                           NoiseSource& noise, Executor& executor);

}  // namespace snug
