// DPM++ 2S: Lu et al., "DPM-Solver++" (2022), algorithm 1, over pairs of calls: the first steps to the
// second's point, the second goes from the pair's beginning to its end with both predicted pictures.
#include <algorithm>
#include <cmath>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

constexpr int kStart = 2;  // history: two predicted pictures, newest first, and the pair's first latents
constexpr int kHistory = 3;

class DpmppSinglestep : public SolverSampler {
 public:
  DpmppSinglestep(const SamplerConfig& config, int steps)
      : SolverSampler(config, steps, kHistory, /*draws_noise=*/config.stochastic) {}

 private:
  // Calls alternate between orders 1 and 2; the last is of order 1, and a run that begins within a pair
  // starts with order 1.
  int order_at(int call) const {
    const bool second = call % 2 == 1 && call + 1 < calls();
    return config().solver_order == 2 && second && calls_before(call) > 0 ? 2 : 1;
  }

  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const Mix picture = picture_mix(call);
    combine(push_history(2), {{picture.of_latents, latents}, {picture.of_output, output}});
    const int order = order_at(call);
    if (order == 1) std::copy(latents.begin(), latents.end(), history(kStart).begin());

    const int from = call - (order - 1);
    const int to = call + 1;
    const double ratio = noise_ratio(to) / noise_ratio(from);  // e^-h, also where h is infinite
    const double decay = config().stochastic ? ratio * ratio : ratio;
    const double kept = noise_scale(to) / noise_scale(from) * (config().stochastic ? ratio : 1);
    const double level = signal(to) * (1 - decay);

    Term terms[4] = {{kept, history(kStart)}};
    size_t count = 1;
    if (order == 1) {
      terms[count++] = {level, history(0)};
    } else {
      const double h = lambda_step(from, to);
      const double length = config().stochastic ? 2 * h : h;
      const double slope = config().heun_solver ? signal(to) * (1 - (1 - decay) / length) : level / 2;
      const double per_difference = slope * h / lambda_step(from, call);
      terms[count++] = {per_difference, history(0)};
      terms[count++] = {level - per_difference, history(1)};
    }
    if (config().stochastic) terms[count++] = {noise_scale(to) * std::sqrt(1 - ratio * ratio), noise};
    combine(latents, std::span(terms, count));
  }
};

}  // namespace

std::unique_ptr<Sampler> make_dpmpp_singlestep(const SamplerConfig& config, int steps) {
  return std::make_unique<DpmppSinglestep>(config, steps);
}

}  // namespace snug
