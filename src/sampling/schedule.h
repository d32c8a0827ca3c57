// From a configuration and a number of steps to the timesteps and sigmas of a run.
//
// Samplers call this once, when they are made. Notation of Karras et al. (2022): sigma is the noise's
// standard deviation over the signal's scale, sigma^2 = (1 - alpha_bar) / alpha_bar; timesteps are indexes
// into the training schedule, fractional where a sigma lies between two of them. Spacings are those of
// Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed" (2024), table 2. Rounding to
// float32 where diffusers does it, so that timesteps come out the same.
#pragma once

#include <span>
#include <vector>

#include "sampling/sampler_config.h"

namespace snug {

// The noise schedule the model was trained with.
class TrainingSchedule {
 public:
  // `keep_finite` replaces a last alpha_bar of 0 (zero terminal SNR) by 2^-24, for samplers that divide by
  // it.
  TrainingSchedule(const SamplerConfig& config, bool keep_finite);

  int timesteps() const { return static_cast<int>(alpha_bars_.size()); }
  // Product of alphas up to timestep t, 0 <= t < timesteps() (SNUG_CHECK).
  double alpha_bar(int t) const;
  // By timestep, ascending.
  std::span<const float> sigmas() const { return sigmas_; }
  // Linear between timesteps.
  double sigma_at(double timestep) const;
  // The inverse, linear in log sigma.
  double timestep_of(double sigma) const;

 private:
  std::vector<float> alpha_bars_;
  std::vector<float> sigmas_;
  std::vector<double> log_sigmas_;
};

// `count` points of the spacing, from noise to picture. `drop_last`: space count + 1 points and leave out
// the last, as the DPM-Solver family does for leading and linspace. `last_timestep` is one past the largest.
struct SpacingRule {
  TimestepSpacing spacing = TimestepSpacing::kLinspace;
  int count = 0;
  int last_timestep = 1000;
  int steps_offset = 0;
  bool drop_last = false;
};
std::vector<double> spaced_timesteps(const SpacingRule& rule);

// `count` sigmas from `largest` to `smallest` by a Karras (rho 7), exponential or beta(0.6, 0.6) schedule.
std::vector<double> spread_sigmas(SigmaSchedule schedule, double largest, double smallest, int count);

// One model call at each of the timesteps; sigmas has one more, where the run ends.
struct SigmaSteps {
  std::vector<double> timesteps;
  std::vector<float> sigmas;
};

// As Euler, Heun, DPM2, LMS and DPM++ SDE space them: a sigma schedule runs between the sigmas of the
// spacing's ends.
SigmaSteps euler_steps(const SamplerConfig& config, const TrainingSchedule& training, int steps);
// As multistep and singlestep DPM++, DEIS and UniPC space them: whole timesteps; a sigma schedule runs
// between the ends of training. Flow sigmas included.
SigmaSteps solver_steps(const SamplerConfig& config, const TrainingSchedule& training, int steps);
// Flow-match Euler's. Throws invalid_argument when dynamic shifting lacks its mu.
SigmaSteps flow_steps(const SamplerConfig& config, int steps);

}  // namespace snug
