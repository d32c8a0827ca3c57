// Euler steps along a rectified flow: Liu et al., "Flow Straight and Fast" (2022); shifts of Esser et al.,
// "Scaling Rectified Flow Transformers" (2024). Latents = (1 - sigma) picture + sigma noise.
#include "sampling/sampler_families.h"

namespace snug {
namespace {

class FlowEuler : public Sampler {
 public:
  FlowEuler(const SamplerConfig& config, int steps) : Sampler(config, steps, /*calls_per_step=*/1, 0) {
    SigmaSteps schedule = flow_steps(config, steps);
    for (size_t i = 0; i < schedule.timesteps.size(); ++i) {
      const double sigma = schedule.sigmas[i];
      add_call({static_cast<float>(schedule.timesteps[i]), 1 - sigma, sigma, 1, config.stochastic_sampling});
    }
    set_sigmas(std::move(schedule.sigmas));
  }

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> noise) override {
    const double here = sigma(call);
    const double next = sigma(call + 1);
    if (noise.empty()) {
      combine(latents, {{1, latents}, {next - here, output}});
    } else {
      combine(latents, {{1 - next, latents}, {-(1 - next) * here, output}, {next, noise}});
    }
  }
};

}  // namespace

std::unique_ptr<Sampler> make_flow_euler(const SamplerConfig& config, int steps) {
  return std::make_unique<FlowEuler>(config, steps);
}

}  // namespace snug
