// LCM: Luo et al., "Latent Consistency Models" (2023), algorithm 3: predict the picture, add noise for the
// next timestep.
#include <cmath>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

class Lcm : public AlphaBarSampler {
 public:
  Lcm(const SamplerConfig& config, int steps)
      : AlphaBarSampler(config, steps, /*history_size=*/1, distilled_timesteps(config, steps)) {
    set_draws_noise();
    set_draws_noise(calls() - 1, false);
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    constexpr double kDataDeviation = 0.5;
    const double time = timestep(call) * config().timestep_scaling;
    const double norm = time * time + kDataDeviation * kDataDeviation;
    const double keep = kDataDeviation * kDataDeviation / norm;
    const double replace = time / std::sqrt(norm);
    const std::span<const float> picture = predict_picture(call, output, latents);
    if (noise.empty()) {
      combine(latents, {{replace, picture}, {keep, latents}});
      return;
    }
    const double next = alpha_bar(call + 1);
    const double signal = std::sqrt(next);
    combine(latents, {{signal * replace, picture}, {signal * keep, latents}, {std::sqrt(1 - next), noise}});
  }
};

}  // namespace

std::unique_ptr<Sampler> make_lcm(const SamplerConfig& config, int steps) {
  return std::make_unique<Lcm>(config, steps);
}

}  // namespace snug
