// Stable Diffusion XL a second time: Euler's steps, guidance, the numbers beside the prompt and repainting
// written out as diffusers' pipelines have them, every graph run node by node by the reference kernels
// (tests/interpret.h). For tests only, and apart from pipeline/ and sampling/ on purpose: whole runs are
// compared with it where there are no recorded values.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "models/describe_model.h"
#include "pipeline/make_plan.h"
#include "tensor/host_tensor.h"

namespace snug::testing {

// Of the fixtures' scheduler: scaled_linear, leading, one step offset.
std::vector<int> leading_timesteps(int steps);  // descending
double sigma_of(int timestep);

class SdxlReference {
 public:
  // `positive` and `negative`: the numbers that the UNet takes beside the prompts. The model must outlive it.
  SdxlReference(const ModelDescription& model, const TokenizedPrompt& prompt, double guidance_scale,
                std::span<const float> positive, std::span<const float> negative);

  // What is done with the latents after a step, before the next one at `sigma`, which is 0 in the end.
  using AfterStep = std::function<void(std::span<float> latents, double sigma)>;
  // From latents [1,C,h,w] with the noise of the first of `timesteps` to those without any.
  HostTensor denoise(HostTensor latents, std::span<const int> timesteps, const AfterStep& after = {}) const;

  // [1,3,H,W] of 0..1.
  HostTensor decode(HostTensor latents) const;
  // [1,2C,h,w], means and log variances, of a picture [1,3,H,W] of -1..1.
  HostTensor encode(const HostTensor& image) const;

 private:
  const ModelDescription& model_;
  double guidance_scale_;
  HostTensor conditioning_, text_embeds_, time_ids_;  // the negative prompt's rows first
};

}  // namespace snug::testing
