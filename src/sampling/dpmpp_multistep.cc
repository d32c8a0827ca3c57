// DPM++ 2M, 3M and their SDE forms: Lu et al., "DPM-Solver++" (2022), algorithm 2 and its stochastic form,
// one call a step with the pictures predicted before as further points.
#include <cmath>

#include "base/check.h"
#include "sampling/sampler_families.h"

namespace snug {
namespace {

class DpmppMultistep : public SolverSampler {
 public:
  DpmppMultistep(const SamplerConfig& config, int steps)
      : SolverSampler(config, steps, /*history_size=*/config.solver_order,
                      /*draws_noise=*/config.stochastic) {}

 private:
  // A step in lambda of length h multiplies the latents' part by e^-h / (signal ratio) and adds the
  // polynomial through the pictures, integrated. For the SDE the decay is e^-2h and its length 2h.
  struct Step {
    double h;
    double decay;
    double length;
  };

  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const Mix picture = picture_mix(call);
    combine(push_history(config().solver_order),
            {{picture.of_latents, latents}, {picture.of_output, output}});

    const double ratio = noise_ratio(call + 1) / noise_ratio(call);  // e^-h, also where h is infinite
    const double decay = config().stochastic ? ratio * ratio : ratio;
    const double h = lambda_step(call, call + 1);
    const Step step = {h, decay, config().stochastic ? 2 * h : h};
    const double kept = noise_scale(call + 1) / noise_scale(call) * (config().stochastic ? ratio : 1);

    Term terms[5] = {{kept, latents}};
    size_t count = 1;
    const int order = order_at(call);
    if (order == 1) terms[count++] = {signal(call + 1) * (1 - decay), history(0)};
    if (order == 2) add_second_order(call, step, terms, count);
    if (order == 3) add_third_order(call, step, terms, count);
    if (config().stochastic) terms[count++] = {noise_scale(call + 1) * std::sqrt(1 - ratio * ratio), noise};
    combine(latents, std::span(terms, count));
  }

  int order_at(int call) const {
    const bool last = call + 1 == calls();
    return last && (config().euler_at_final || noise_ratio(call + 1) == 0) ? 1 : multistep_order(call);
  }

  // Of the slope, for the Heun form of order 2 and for order 3.
  double slope_weight(int call, const Step& step) const {
    return signal(call + 1) * (1 - (1 - step.decay) / step.length);
  }

  void add_second_order(int call, const Step& step, Term* terms, size_t& count) {
    const double level = signal(call + 1) * (1 - step.decay);
    const double slope = config().heun_solver ? slope_weight(call, step) : level / 2;
    const double per_difference = slope * step.h / lambda_step(call - 1, call);
    terms[count++] = {level + per_difference, history(0)};
    terms[count++] = {-per_difference, history(1)};
  }

  void add_third_order(int call, const Step& step, Term* terms, size_t& count) {
    const double level = signal(call + 1) * (1 - step.decay);
    const double slope = slope_weight(call, step);
    const double part = (1 - step.decay - step.length) / (step.length * step.length);
    // The stochastic form's sign is diffusers' and differs from its deterministic one.
    const double bend = signal(call + 1) * (config().stochastic ? part - 0.5 : part + 0.5);
    const double r0 = lambda_step(call - 1, call) / step.h;
    const double r1 = lambda_step(call - 2, call - 1) / step.h;
    // Of the divided differences (m0 - m1) / r0 and (m1 - m2) / r1.
    const double newer = (slope * (1 + r0 / (r0 + r1)) + bend / (r0 + r1)) / r0;
    const double older = -(slope * r0 / (r0 + r1) + bend / (r0 + r1)) / r1;
    terms[count++] = {level + newer, history(0)};
    terms[count++] = {older - newer, history(1)};
    terms[count++] = {-older, history(2)};
  }
};

}  // namespace

std::unique_ptr<Sampler> make_dpmpp_multistep(const SamplerConfig& config, int steps) {
  return std::make_unique<DpmppMultistep>(config, steps);
}

}  // namespace snug
