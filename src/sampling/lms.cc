// LMS: linear multistep of order 4 in sigma, as in k-diffusion. The slope is the polynomial through the last
// slopes; its integral over the step is exact.
#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

constexpr int kOrder = 4;

class Lms : public SigmaSampler {
 public:
  Lms(const SamplerConfig& config, int steps)
      : SigmaSampler(config, steps, /*calls_per_step=*/1, /*history_size=*/kOrder) {
    for (int i = 0; i < steps; ++i) add_sigma_call(step_timestep(i), step_sigma(i), /*draws_noise=*/false);
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> /*noise*/) override {
    const Mix slope = noise_mix(call);
    const std::span<float> newest = push_history(kOrder);
    combine(newest, {{slope.of_latents, latents}, {slope.of_output, output}});
    const int order = std::min(calls_before(call) + 1, kOrder);
    std::array<Term, kOrder + 1> terms;
    terms[0] = {1, latents};
    for (int i = 0; i < order; ++i) {
      terms[static_cast<size_t>(i) + 1] = {integrated_weight(call, order, i), history(i)};
    }
    combine(latents, std::span(terms).first(static_cast<size_t>(order) + 1));
  }

  // The integral over the step of the Lagrange polynomial that is 1 at the `index`-th last sigma. Degree 3 at
  // most, so two Gauss-Legendre points are exact.
  double integrated_weight(int call, int order, int index) const {
    const double begin = step_sigma(call);
    const double half = (step_sigma(call + 1) - begin) / 2;
    double sum = 0;
    for (const double side : {-1.0, 1.0}) {
      const double point = begin + half + half * side / std::sqrt(3.0);
      double weight = 1;
      for (int k = 0; k < order; ++k) {
        if (k == index) continue;
        weight *= (point - step_sigma(call - k)) / (step_sigma(call - index) - step_sigma(call - k));
      }
      sum += weight;
    }
    return sum * half;
  }
};

}  // namespace

std::unique_ptr<Sampler> make_lms(const SamplerConfig& config, int steps) {
  return std::make_unique<Lms>(config, steps);
}

}  // namespace snug
