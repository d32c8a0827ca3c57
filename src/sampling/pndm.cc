// PNDM without its Runge-Kutta start (PLMS): Liu et al., "Pseudo Numerical Methods for Diffusion Models on
// Manifolds" (2022), equations 9 and 12. The first step is taken twice, the second time with the mean of
// both ends' outputs, so a run of n steps has n + 1 calls.
#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/sampler_families.h"

namespace snug {
namespace {

constexpr int kOutputs = 4;       // history: the last model outputs, newest first,
constexpr int kFirstLatents = 4;  // and what the first call started from
constexpr int kHistory = kOutputs + 1;

std::vector<double> repeat_second(std::vector<double> timesteps) {
  if (timesteps.size() > 1) timesteps.insert(timesteps.begin() + 1, timesteps[1]);
  return timesteps;
}

class Pndm : public AlphaBarSampler {
 public:
  Pndm(const SamplerConfig& config, int steps)
      : AlphaBarSampler(config, steps, kHistory, repeat_second(whole_timesteps(config, steps))) {}

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> /*noise*/) override {
    const int stride = config().num_train_timesteps / steps();
    int from = whole_timestep(call);
    int to = from - stride;
    // Counted from where the run started: image to image repeats its own first step, as diffusers does.
    const int counter = calls_before(call);
    if (counter == 1) {
      from = std::min(from + stride, training().timesteps() - 1);
      to = whole_timestep(call);
      std::copy_n(history(kFirstLatents).begin(), latents.size(), latents.begin());
    } else {
      if (counter == 0) std::copy(latents.begin(), latents.end(), history(kFirstLatents).begin());
      const std::span<float> newest = push_history(kOutputs);
      std::copy(output.begin(), output.end(), newest.begin());
    }
    transfer(from, to, counter, output, latents);
  }

  // Equation 9 with the Adams-Bashforth mean of the outputs.
  void transfer(int from, int to, int counter, std::span<const float> output, std::span<float> latents) {
    const double here = training().alpha_bar(from);
    const double next = alpha_bar_or_final(to);
    const double denominator = here * std::sqrt(1 - next) + std::sqrt(here * (1 - here) * next);
    const double change = -(next - here) / denominator;
    const Mix mix = mix_for_noise(config().prediction_type, std::sqrt(here), std::sqrt(1 - here));
    const double weight = change * mix.of_output;
    const Term start = {std::sqrt(next / here) + change * mix.of_latents, latents};
    switch (counter) {
      case 0: return combine(latents, {start, {weight, history(0)}});
      case 1: return combine(latents, {start, {weight / 2, output}, {weight / 2, history(0)}});
      case 2: return combine(latents, {start, {weight * 3 / 2, history(0)}, {-weight / 2, history(1)}});
      case 3:
        return combine(latents, {start,
                                 {weight * 23 / 12, history(0)},
                                 {-weight * 16 / 12, history(1)},
                                 {weight * 5 / 12, history(2)}});
      default:
        return combine(latents, {start,
                                 {weight * 55 / 24, history(0)},
                                 {-weight * 59 / 24, history(1)},
                                 {weight * 37 / 24, history(2)},
                                 {-weight * 9 / 24, history(3)}});
    }
  }
};

}  // namespace

std::unique_ptr<Sampler> make_pndm(const SamplerConfig& config, int steps) {
  return std::make_unique<Pndm>(config, steps);
}

}  // namespace snug
