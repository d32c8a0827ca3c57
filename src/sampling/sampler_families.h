// The bases of the samplers, one for each scale that latents are kept in, and the factories that
// sampler_list.cc names. Used inside this folder only.
#pragma once

#include <memory>

#include "sampling/sampler.h"
#include "sampling/schedule.h"

namespace snug {

// Variance preserving, by whole training timesteps: latents = sqrt(alpha_bar) picture +
// sqrt(1 - alpha_bar) noise.
class AlphaBarSampler : public Sampler {
 protected:
  AlphaBarSampler(const SamplerConfig& config, int steps, int history_size,
                  const std::vector<double>& timesteps);

  const TrainingSchedule& training() const { return training_; }
  int whole_timestep(int call) const { return static_cast<int>(timestep(call)); }
  double alpha_bar(int call) const { return training_.alpha_bar(whole_timestep(call)); }
  // Of a timestep that may lie before the first (set_alpha_to_one says what is there).
  double alpha_bar_or_final(int t) const;
  // The picture the output predicts, clipped if the configuration says so, into history(0).
  std::span<const float> predict_picture(int call, std::span<const float> output,
                                         std::span<const float> latents);

 private:
  TrainingSchedule training_;
};

// The timesteps of diffusers' spacings, whole.
std::vector<double> whole_timesteps(const SamplerConfig& config, int steps);
// Those of LCM and TCD: picked from the ones of distillation.
std::vector<double> distilled_timesteps(const SamplerConfig& config, int steps);

// k-diffusion's: latents = picture + sigma noise, scaled down for the model.
class SigmaSampler : public Sampler {
 protected:
  // Subclasses add the calls; with two a step, every step but the last has both.
  SigmaSampler(const SamplerConfig& config, int steps, int calls_per_step, int history_size);

  const SigmaSteps& schedule() const { return schedule_; }
  const TrainingSchedule& training() const { return training_; }
  void add_sigma_call(double timestep, double sigma, bool draws_noise);
  // sigmas() as diffusers lists them for two calls a step.
  void set_paired_sigmas();
  double step_sigma(int step) const { return schedule_.sigmas[static_cast<size_t>(step)]; }
  double step_timestep(int step) const { return schedule_.timesteps[static_cast<size_t>(step)]; }

 private:
  TrainingSchedule training_;
  SigmaSteps schedule_;
};

// The DPM-Solver family's: signal picture + noise normal, variance preserving or flow, integrated over
// lambda = log(signal / noise).
class SolverSampler : public Sampler {
 protected:
  SolverSampler(const SamplerConfig& config, int steps, int history_size, bool draws_noise);

  // At the schedule's point `index`, 0..calls().
  double signal(int index) const;
  double noise_scale(int index) const;
  // noise / signal; lambda is minus its logarithm.
  double noise_ratio(int index) const { return noise_scale(index) / signal(index); }
  // lambda(to) - lambda(from), infinite where `to` has no noise.
  double lambda_step(int from, int to) const;
  // solver_order, or less where there is too little history, and near the end of short runs.
  int multistep_order(int call) const;
};

std::unique_ptr<Sampler> make_ddim(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_ddpm(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_pndm(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_euler(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_euler_ancestral(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_heun(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_dpm2(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_dpm2_ancestral(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_lms(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_dpmpp_sde(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_dpmpp_multistep(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_dpmpp_singlestep(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_deis(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_unipc(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_lcm(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_tcd(const SamplerConfig& config, int steps);
std::unique_ptr<Sampler> make_flow_euler(const SamplerConfig& config, int steps);

}  // namespace snug
