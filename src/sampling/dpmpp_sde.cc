// DPM++ SDE, two calls a step: Lu et al., "DPM-Solver++" (2022), the single-step solver of order 2 with
// ancestral noise after the half and the whole step, as in k-diffusion. Where k-diffusion takes increments of
// a Brownian tree, this draws independent unit normals: the same distribution, other values for a seed.
#include <algorithm>
#include <cmath>

#include "sampling/ancestral.h"
#include "sampling/sampler_families.h"

namespace snug {
namespace {

class DpmppSde : public SigmaSampler {
 public:
  DpmppSde(const SamplerConfig& config, int steps)
      : SigmaSampler(config, steps, /*calls_per_step=*/2, /*history_size=*/1) {
    for (int i = 0; i < steps; ++i) {
      const bool last = i + 1 == steps;
      add_sigma_call(step_timestep(i), step_sigma(i), /*draws_noise=*/!last);
      if (last) break;
      const double middle = std::sqrt(step_sigma(i) * step_sigma(i + 1));
      add_sigma_call(training().timestep_of(middle), middle, /*draws_noise=*/true);
    }
    set_paired_sigmas();
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const double here = step_sigma(call / 2);
    const Mix picture = picture_mix(call);
    if (noise.empty()) {  // the last: an Euler step to sigma 0 gives the picture
      const double kept = step_sigma(call / 2 + 1) / here;
      combine(latents,
              {{kept + (1 - kept) * picture.of_latents, latents}, {(1 - kept) * picture.of_output, output}});
      return;
    }
    const bool first = call % 2 == 0;
    const AncestralStep step = ancestral_step(here, first ? at(call + 1).noise : step_sigma(call / 2 + 1));
    const double kept = step.down / here;
    if (first) std::copy(latents.begin(), latents.end(), history(0).begin());
    combine(latents, {{kept, history(0)},
                      {(1 - kept) * picture.of_latents, latents},
                      {(1 - kept) * picture.of_output, output},
                      {step.up, noise}});
  }
};

}  // namespace

std::unique_ptr<Sampler> make_dpmpp_sde(const SamplerConfig& config, int steps) {
  return std::make_unique<DpmppSde>(config, steps);
}

}  // namespace snug
