// DDIM: Song et al., "Denoising Diffusion Implicit Models" (2020), equations 12 and 16.
#include <cmath>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

class Ddim : public AlphaBarSampler {
 public:
  Ddim(const SamplerConfig& config, int steps)
      : AlphaBarSampler(config, steps, /*history_size=*/1, whole_timesteps(config, steps)) {
    if (config.eta > 0) set_draws_noise();
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const double here = alpha_bar(call);
    const double next = alpha_bar_or_final(whole_timestep(call) - config().num_train_timesteps / steps());
    const double variance = (1 - next) / (1 - here) * (1 - here / next);
    const double deviation = config().eta * std::sqrt(variance);
    const double direction = std::sqrt(1 - next - deviation * deviation);
    const std::span<const float> picture = predict_picture(call, output, latents);
    const Mix mix = noise_mix(call);
    const Term terms[] = {{std::sqrt(next), picture},
                          {direction * mix.of_latents, latents},
                          {direction * mix.of_output, output},
                          {deviation, noise}};
    combine(latents, std::span(terms, noise.empty() ? 3 : 4));
  }
};

}  // namespace

std::unique_ptr<Sampler> make_ddim(const SamplerConfig& config, int steps) {
  return std::make_unique<Ddim>(config, steps);
}

}  // namespace snug
