#include "sampling/sampler_config.h"

#include <cmath>
#include <string>

#include "base/error.h"
#include "sampling/sampler_list.h"

namespace snug {
namespace {

// Far above every published model; bounds what a configuration can make us allocate.
constexpr int kMostTrainTimesteps = 10'000;

void require(bool holds, const std::string& problem) {
  if (!holds) {
    throw Error(ErrorCode::kBadConfig, "scheduler configuration: " + problem,
                "take scheduler/scheduler_config.json from the model's original download");
  }
}

bool is_between(double value, double low, double high) {
  return std::isfinite(value) && value >= low && value <= high;
}

bool is_flow(const SamplerConfig& config) {
  return config.kind == SamplerKind::kFlowEuler || config.sigma_schedule == SigmaSchedule::kFlow;
}

void check_training(const SamplerConfig& config) {
  require(config.num_train_timesteps >= 2 && config.num_train_timesteps <= kMostTrainTimesteps,
          "num_train_timesteps is not between 2 and " + std::to_string(kMostTrainTimesteps));
  require(is_between(config.beta_start, 0, 0.999999) && is_between(config.beta_end, 0, 0.999999) &&
              config.beta_end > 0,
          "beta_start and beta_end are not between 0 and 1");
  require(config.trained_betas.empty() ||
              config.trained_betas.size() == static_cast<size_t>(config.num_train_timesteps),
          "trained_betas has not num_train_timesteps elements");
  for (const float beta : config.trained_betas) {
    require(is_between(beta, 0, 0.999999), "trained_betas has a value that is not between 0 and 1");
  }
  require(config.steps_offset >= 0 && config.steps_offset < config.num_train_timesteps,
          "steps_offset is not a timestep");
  for (const auto& sigma : {config.sigma_min, config.sigma_max}) {
    require(!sigma || is_between(*sigma, 1e-8, 1e8), "sigma_min or sigma_max is not a positive number");
  }
  require(!config.sigma_min || !config.sigma_max || *config.sigma_min < *config.sigma_max,
          "sigma_min is not below sigma_max");
}

void check_flow(const SamplerConfig& config) {
  require(is_between(config.flow_shift, 1e-3, 1e4), "shift is not a positive number");
  require(!config.dynamic_mu || is_between(*config.dynamic_mu, -50, 50), "mu is absurd");
  require(!config.shift_terminal || is_between(*config.shift_terminal, 0, 0.999999),
          "shift_terminal is not between 0 and 1");
  require(is_between(config.base_shift, -50, 50) && is_between(config.max_shift, -50, 50) &&
              config.base_image_seq_len > 0 && config.max_image_seq_len > config.base_image_seq_len,
          "base_shift, max_shift and their image_seq_len make no line");
}

}  // namespace

SamplerConfig default_sampler_config(SamplerKind kind) {
  SamplerConfig config;
  config.kind = kind;
  switch (kind) {
    case SamplerKind::kDdim:
    case SamplerKind::kDdpm:
      config.timestep_spacing = TimestepSpacing::kLeading;
      config.clip_sample = true;
      break;
    case SamplerKind::kPndm:
      config.timestep_spacing = TimestepSpacing::kLeading;
      config.set_alpha_to_one = false;
      break;
    case SamplerKind::kLcm:
    case SamplerKind::kTcd:
      config.timestep_spacing = TimestepSpacing::kLeading;
      config.beta_start = 0.00085;
      config.beta_end = 0.012;
      config.beta_schedule = BetaSchedule::kScaledLinear;
      if (kind == SamplerKind::kTcd) config.eta = 0.3;
      break;
    case SamplerKind::kHeun:
    case SamplerKind::kDpm2:
    case SamplerKind::kDpm2Ancestral:
    case SamplerKind::kDpmppSde:
      config.beta_start = 0.00085;
      config.beta_end = 0.012;
      break;
    case SamplerKind::kFlowEuler: config.prediction_type = PredictionType::kFlow; break;
    case SamplerKind::kEuler:
    case SamplerKind::kEulerAncestral:
    case SamplerKind::kLms:
    case SamplerKind::kDpmppMultistep:
    case SamplerKind::kDpmppSinglestep:
    case SamplerKind::kDeis:
    case SamplerKind::kUniPc: break;
  }
  return config;
}

SamplerConfig stable_diffusion_config(const SamplerChoice& choice, PredictionType prediction_type) {
  SamplerConfig config = default_sampler_config(choice.sampler->kind);
  config.beta_start = 0.00085;
  config.beta_end = 0.012;
  config.beta_schedule = BetaSchedule::kScaledLinear;
  config.steps_offset = 1;
  config.clip_sample = false;  // latents are not bounded by 1
  if (config.kind == SamplerKind::kDdim) config.set_alpha_to_one = false;
  if (config.kind != SamplerKind::kFlowEuler) config.prediction_type = prediction_type;
  apply_choice(choice, config);
  check_sampler_config(config);
  return config;
}

bool samples_flow(SamplerKind kind) {
  return kind == SamplerKind::kFlowEuler || kind == SamplerKind::kUniPc ||
         kind == SamplerKind::kDpmppMultistep || kind == SamplerKind::kDpmppSinglestep;
}

void check_sampler_config(const SamplerConfig& config) {
  check_training(config);
  check_flow(config);
  require(is_between(config.clip_sample_range, 1e-6, 1e6), "clip_sample_range is not a positive number");
  require(is_between(config.eta, 0, 1), "eta is not between 0 and 1");
  require(
      config.original_inference_steps >= 1 && config.original_inference_steps <= config.num_train_timesteps,
      "original_inference_steps is not between 1 and num_train_timesteps");
  require(is_between(config.timestep_scaling, 1e-6, 1e6), "timestep_scaling is not a positive number");
  require(config.solver_order >= 1 && config.solver_order <= 3, "solver_order is not 1, 2 or 3");
  require(!std::isnan(config.lambda_min_clipped), "lambda_min_clipped is not a number");

  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::kUnsupported, "scheduler configuration: " + what,
                "choose another one with --sampler");
  };
  if (config.kind == SamplerKind::kDpmppSinglestep && config.solver_order > 2) {
    refuse("a single-step DPM++ of order 3");
  }
  if ((config.prediction_type == PredictionType::kFlow || is_flow(config)) && !samples_flow(config.kind)) {
    throw Error(ErrorCode::kUnsupported, "the model predicts a flow, and the sampler is not made for it",
                "use unipc, flow_euler, dpmpp_2m or dpmpp_2s");
  }
  if ((config.prediction_type == PredictionType::kFlow) != is_flow(config)) {
    refuse("flow prediction and flow sigmas only come together");
  }
  if (config.rescale_betas_zero_snr && config.prediction_type == PredictionType::kEpsilon) {
    refuse("zero terminal SNR with epsilon prediction, which says nothing where there is only noise");
  }
}

double dynamic_shift_mu(const SamplerConfig& config, int image_tokens) {
  const double slope =
      (config.max_shift - config.base_shift) / (config.max_image_seq_len - config.base_image_seq_len);
  return config.base_shift + slope * (image_tokens - config.base_image_seq_len);
}

}  // namespace snug
