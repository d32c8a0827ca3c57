// TCD: Zheng et al., "Trajectory Consistency Distillation" (2024), strategic stochastic sampling: jump to
// timestep (1 - eta) * next without noise, then add noise up to next.
#include <cmath>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

class Tcd : public AlphaBarSampler {
 public:
  Tcd(const SamplerConfig& config, int steps)
      : AlphaBarSampler(config, steps, /*history_size=*/0, distilled_timesteps(config, steps)) {
    if (config.eta > 0) set_draws_noise();
    set_draws_noise(calls() - 1, false);
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const int next_timestep = call + 1 < calls() ? whole_timestep(call + 1) : 0;
    // float32 on purpose: the floor must fall where diffusers' does.
    const auto jump_share = static_cast<float>(1 - config().eta);
    const auto jump_timestep = static_cast<int>(std::floor(jump_share * static_cast<float>(next_timestep)));
    const double jump = training().alpha_bar(jump_timestep);
    const double next = training().alpha_bar(next_timestep);
    const Mix picture = picture_mix(call);
    const Mix direction = noise_mix(call);
    const double renoise = noise.empty() ? 1 : std::sqrt(next / jump);
    const double signal = renoise * std::sqrt(jump);
    const double scale = renoise * std::sqrt(1 - jump);
    const Term terms[] = {{signal * picture.of_latents + scale * direction.of_latents, latents},
                          {signal * picture.of_output + scale * direction.of_output, output},
                          {std::sqrt(1 - next / jump), noise}};
    combine(latents, std::span(terms, noise.empty() ? 2 : 3));
  }
};

}  // namespace

std::unique_ptr<Sampler> make_tcd(const SamplerConfig& config, int steps) {
  return std::make_unique<Tcd>(config, steps);
}

}  // namespace snug
