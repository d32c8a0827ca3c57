// DPM2 and DPM2 a: Karras et al. (2022), algorithm 2 with the middle taken in log sigma, two calls a step: to
// the middle, then the whole step with the middle's slope. The ancestral form steps below the next sigma
// and adds noise. The last step, to sigma 0, is an Euler step.
#include <algorithm>
#include <cmath>

#include "sampling/ancestral.h"
#include "sampling/sampler_families.h"

namespace snug {
namespace {

class Dpm2 : public SigmaSampler {
 public:
  Dpm2(const SamplerConfig& config, int steps, bool ancestral)
      : SigmaSampler(config, steps, /*calls_per_step=*/2, /*history_size=*/1), ancestral_(ancestral) {
    for (int i = 0; i < steps; ++i) {
      add_sigma_call(step_timestep(i), step_sigma(i), /*draws_noise=*/false);
      if (i + 1 == steps) break;
      const double middle = std::sqrt(step_sigma(i) * target(i).down);
      add_sigma_call(training().timestep_of(static_cast<float>(middle)), middle, ancestral);
    }
    set_paired_sigmas();
  }

 private:
  AncestralStep target(int step) const {
    if (ancestral_) return ancestral_step(step_sigma(step), step_sigma(step + 1));
    return {step_sigma(step + 1), 0};
  }

  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const int step = call / 2;
    const double here = step_sigma(step);
    const Mix slope = noise_mix(call);
    if (call % 2 == 0) {
      const double end = call + 1 < calls() ? at(call + 1).noise : step_sigma(step + 1);
      const double change = end - here;
      std::copy(latents.begin(), latents.end(), history(0).begin());
      combine(latents, {{1 + change * slope.of_latents, latents}, {change * slope.of_output, output}});
      return;
    }
    const double change = target(step).down - here;
    const Term terms[] = {{1, history(0)},
                          {change * slope.of_latents, latents},
                          {change * slope.of_output, output},
                          {target(step).up, noise}};
    combine(latents, std::span(terms, noise.empty() ? 3 : 4));
  }

  bool ancestral_;
};

}  // namespace

std::unique_ptr<Sampler> make_dpm2(const SamplerConfig& config, int steps) {
  return std::make_unique<Dpm2>(config, steps, /*ancestral=*/false);
}

std::unique_ptr<Sampler> make_dpm2_ancestral(const SamplerConfig& config, int steps) {
  return std::make_unique<Dpm2>(config, steps, /*ancestral=*/true);
}

}  // namespace snug
