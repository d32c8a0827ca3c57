// DDPM: Ho et al., "Denoising Diffusion Probabilistic Models" (2020), equations 6 and 7, over the steps that
// the spacing leaves.
#include <algorithm>
#include <cmath>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

class Ddpm : public AlphaBarSampler {
 public:
  Ddpm(const SamplerConfig& config, int steps)
      : AlphaBarSampler(config, steps, /*history_size=*/1, whole_timesteps(config, steps)) {
    set_draws_noise();
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const double here = alpha_bar(call);
    const double next = call + 1 < calls() ? alpha_bar(call + 1) : 1;
    const double alpha = here / next;
    const double beta = 1 - alpha;
    // Never 0, as in diffusers, which takes its logarithm elsewhere.
    const double posterior = std::max((1 - next) / (1 - here) * beta, 1e-20);
    const double deviation = std::sqrt(config().fixed_large_variance ? beta : posterior);
    const std::span<const float> picture = predict_picture(call, output, latents);
    const Term terms[] = {{std::sqrt(next) * beta / (1 - here), picture},
                          {std::sqrt(alpha) * (1 - next) / (1 - here), latents},
                          {deviation, noise}};
    combine(latents, std::span(terms, noise.empty() ? 2 : 3));
  }
};

}  // namespace

std::unique_ptr<Sampler> make_ddpm(const SamplerConfig& config, int steps) {
  return std::make_unique<Ddpm>(config, steps);
}

}  // namespace snug
