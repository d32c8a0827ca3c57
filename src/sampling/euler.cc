// Euler steps along the probability flow: Karras et al. (2022), algorithm 1 without churn.
#include "sampling/sampler_families.h"

namespace snug {
namespace {

class Euler : public SigmaSampler {
 public:
  Euler(const SamplerConfig& config, int steps)
      : SigmaSampler(config, steps, /*calls_per_step=*/1, /*history_size=*/0) {
    for (int i = 0; i < steps; ++i) add_sigma_call(step_timestep(i), step_sigma(i), /*draws_noise=*/false);
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> /*noise*/) override {
    const double change = step_sigma(call + 1) - step_sigma(call);
    const Mix slope = noise_mix(call);
    combine(latents, {{1 + change * slope.of_latents, latents}, {change * slope.of_output, output}});
  }
};

}  // namespace

std::unique_ptr<Sampler> make_euler(const SamplerConfig& config, int steps) {
  return std::make_unique<Euler>(config, steps);
}

}  // namespace snug
