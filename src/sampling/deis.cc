// DEIS in log rho: Zhang and Chen, "Fast Sampling of Diffusion Models with Exponential Integrator" (2022).
// In rho = noise / signal the equation is d(latents / signal) = noise direction d(rho); the direction is
// the polynomial in log rho through the last predictions, integrated exactly.
#include <array>
#include <cmath>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

class Deis : public SolverSampler {
 public:
  Deis(const SamplerConfig& config, int steps)
      : SolverSampler(config, steps, /*history_size=*/config.solver_order, /*draws_noise=*/false) {}

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> /*noise*/) override {
    const Mix direction = noise_mix(call);
    combine(push_history(config().solver_order),
            {{direction.of_latents, latents}, {direction.of_output, output}});
    const double next_signal = signal(call + 1);
    const int order = multistep_order(call);
    Term terms[4] = {{next_signal / signal(call), latents}};
    for (int i = 0; i < order; ++i) {
      terms[i + 1] = {next_signal * integrated_weight(call, order, i), history(i)};
    }
    combine(latents, std::span(terms, static_cast<size_t>(order) + 1));
  }

  double log_rho(int index) const { return std::log(noise_ratio(index)); }

  // Integral over rho, from this call's to the next point's, of the Lagrange polynomial in u = log rho that
  // is 1 at the `index`-th last call. Substituting, it is the integral of polynomial(u) e^u du, whose
  // antiderivative is (P - P' + P'') e^u.
  double integrated_weight(int call, int order, int index) const {
    std::array<double, 2> roots = {};
    int degree = 0;
    double scale = 1;
    for (int k = 0; k < order; ++k) {
      if (k == index) continue;
      roots[static_cast<size_t>(degree++)] = log_rho(call - k);
      scale *= log_rho(call - index) - log_rho(call - k);
    }
    const auto antiderivative = [&](double u) {
      double sum = 1;
      if (degree == 1) sum = (u - roots[0]) - 1;
      if (degree == 2) sum = (u - roots[0]) * (u - roots[1]) - ((u - roots[0]) + (u - roots[1])) + 2;
      return sum * std::exp(u) / scale;
    };
    return antiderivative(log_rho(call + 1)) - antiderivative(log_rho(call));
  }
};

}  // namespace

std::unique_ptr<Sampler> make_deis(const SamplerConfig& config, int steps) {
  return std::make_unique<Deis>(config, steps);
}

}  // namespace snug
