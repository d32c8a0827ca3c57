// Heun's method, two calls a step: Karras et al. (2022), algorithm 1 without churn. The last step, to
// sigma 0, is an Euler step.
#include <algorithm>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

constexpr int kStart = 0;  // history: the latents at the step's beginning,
constexpr int kSlope = 1;  // and the slope there

class Heun : public SigmaSampler {
 public:
  Heun(const SamplerConfig& config, int steps)
      : SigmaSampler(config, steps, /*calls_per_step=*/2, /*history_size=*/2) {
    for (int i = 0; i < steps; ++i) {
      if (i > 0) add_sigma_call(step_timestep(i), step_sigma(i), /*draws_noise=*/false);
      add_sigma_call(step_timestep(i), step_sigma(i), /*draws_noise=*/false);
    }
    set_paired_sigmas();
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> /*noise*/) override {
    const int step = call / 2;
    const double change = step_sigma(step + 1) - step_sigma(step);
    const Mix slope = noise_mix(call);
    if (call % 2 == 0) {
      std::copy(latents.begin(), latents.end(), history(kStart).begin());
      combine(history(kSlope), {{slope.of_latents, latents}, {slope.of_output, output}});
      combine(latents, {{1, latents}, {change, history(kSlope)}});
    } else {
      combine(latents, {{1, history(kStart)},
                        {change / 2, history(kSlope)},
                        {change / 2 * slope.of_latents, latents},
                        {change / 2 * slope.of_output, output}});
    }
  }
};

}  // namespace

std::unique_ptr<Sampler> make_heun(const SamplerConfig& config, int steps) {
  return std::make_unique<Heun>(config, steps);
}

}  // namespace snug
