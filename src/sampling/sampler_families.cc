#include "sampling/sampler_families.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"

namespace snug {

std::vector<double> whole_timesteps(const SamplerConfig& config, int steps) {
  std::vector<double> timesteps = spaced_timesteps(
      {config.timestep_spacing, steps, config.num_train_timesteps, config.steps_offset, /*drop_last=*/false});
  for (double& timestep : timesteps) timestep = std::nearbyint(timestep);
  return timesteps;
}

std::vector<double> distilled_timesteps(const SamplerConfig& config, int steps) {
  const int originals = config.original_inference_steps;
  if (steps > originals) {
    throw Error(ErrorCode::kInvalidArgument,
                "this sampler has at most " + std::to_string(originals) + " steps", "use fewer steps");
  }
  const int stride = config.num_train_timesteps / originals;
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) {
    const int index = static_cast<int>(std::floor(i * (static_cast<double>(originals) / steps)));
    timesteps.push_back((originals - index) * stride - 1);
  }
  return timesteps;
}

AlphaBarSampler::AlphaBarSampler(const SamplerConfig& config, int steps, int history_size,
                                 const std::vector<double>& timesteps)
    : Sampler(config, steps, /*calls_per_step=*/1, history_size), training_(config, /*keep_finite=*/false) {
  for (const double t : timesteps) {
    const double alpha_bar = training_.alpha_bar(static_cast<int>(t));
    add_call({static_cast<float>(t), std::sqrt(alpha_bar), std::sqrt(1 - alpha_bar), 1, false});
  }
}

double AlphaBarSampler::alpha_bar_or_final(int t) const {
  if (t >= 0) return training_.alpha_bar(t);
  return config().set_alpha_to_one ? 1 : training_.alpha_bar(0);
}

std::span<const float> AlphaBarSampler::predict_picture(int call, std::span<const float> output,
                                                        std::span<const float> latents) {
  const Mix mix = picture_mix(call);
  combine(history(0), {{mix.of_latents, latents}, {mix.of_output, output}});
  if (config().clip_sample) clamp(history(0), config().clip_sample_range);
  return history(0);
}

SigmaSampler::SigmaSampler(const SamplerConfig& config, int steps, int calls_per_step, int history_size)
    : Sampler(config, steps, calls_per_step, history_size),
      training_(config, /*keep_finite=*/true),
      schedule_(euler_steps(config, training_, steps)) {
  const double largest = schedule_.sigmas.front();
  const bool leading = config.timestep_spacing == TimestepSpacing::kLeading;
  set_init_noise_sigma(leading ? std::sqrt(largest * largest + 1) : largest);
  set_sigmas(schedule_.sigmas);
}

void SigmaSampler::add_sigma_call(double timestep, double sigma, bool draws_noise) {
  const auto input_factor = static_cast<float>(1 / std::sqrt(sigma * sigma + 1));
  add_call({static_cast<float>(timestep), 1, sigma, input_factor, draws_noise});
}

void SigmaSampler::set_paired_sigmas() {
  std::vector<float> paired;
  for (size_t i = 0; i < schedule_.sigmas.size(); ++i) {
    const bool inner = i > 0 && i + 1 < schedule_.sigmas.size();
    paired.insert(paired.end(), inner ? 2 : 1, schedule_.sigmas[i]);
  }
  set_sigmas(std::move(paired));
}

SolverSampler::SolverSampler(const SamplerConfig& config, int steps, int history_size, bool draws_noise)
    : Sampler(config, steps, /*calls_per_step=*/1, history_size) {
  const TrainingSchedule training(config, /*keep_finite=*/true);
  SigmaSteps schedule = solver_steps(config, training, steps);
  set_sigmas(std::move(schedule.sigmas));
  for (int i = 0; i < steps; ++i) {
    const auto timestep = static_cast<float>(schedule.timesteps[static_cast<size_t>(i)]);
    add_call({timestep, signal(i), noise_scale(i), 1, draws_noise});
  }
}

double SolverSampler::signal(int index) const {
  const double point = sigma(index);
  return config().sigma_schedule == SigmaSchedule::kFlow ? 1 - point : 1 / std::sqrt(point * point + 1);
}

double SolverSampler::noise_scale(int index) const {
  return config().sigma_schedule == SigmaSchedule::kFlow ? sigma(index) : sigma(index) * signal(index);
}

double SolverSampler::lambda_step(int from, int to) const {
  if (noise_ratio(to) == 0) return std::numeric_limits<double>::infinity();
  return std::log(noise_ratio(from)) - std::log(noise_ratio(to));
}

int SolverSampler::multistep_order(int call) const {
  constexpr int kShortRun = 15;  // below it the last steps are too long for a high order
  const int left = calls() - call;
  int order = std::min(config().solver_order, calls_before(call) + 1);
  if (config().lower_order_final && calls() < kShortRun) order = std::min(order, left);
  return order;
}

}  // namespace snug
