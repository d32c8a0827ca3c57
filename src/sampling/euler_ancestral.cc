// Euler a: an Euler step below the next sigma, then noise up to it (ancestral sampling of k-diffusion, the
// discretised SDE of Song et al., 2021).
#include "sampling/ancestral.h"
#include "sampling/sampler_families.h"

namespace snug {

namespace {

class EulerAncestral : public SigmaSampler {
 public:
  EulerAncestral(const SamplerConfig& config, int steps)
      : SigmaSampler(config, steps, /*calls_per_step=*/1, /*history_size=*/0) {
    for (int i = 0; i < steps; ++i) add_sigma_call(step_timestep(i), step_sigma(i), /*draws_noise=*/true);
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const AncestralStep step = ancestral_step(step_sigma(call), step_sigma(call + 1));
    const double change = step.down - step_sigma(call);
    const Mix slope = noise_mix(call);
    combine(latents,
            {{1 + change * slope.of_latents, latents}, {change * slope.of_output, output}, {step.up, noise}});
  }
};

}  // namespace

std::unique_ptr<Sampler> make_euler_ancestral(const SamplerConfig& config, int steps) {
  return std::make_unique<EulerAncestral>(config, steps);
}

}  // namespace snug
