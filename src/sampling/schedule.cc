#include "sampling/schedule.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "sampling/beta_quantile.h"

namespace snug {
namespace {

// `count` values from `first` to `last`, both included.
std::vector<double> linspace(double first, double last, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(count == 1 ? first : first + i * ((last - first) / (count - 1)));
  }
  if (count > 1) values.back() = last;
  return values;
}

SpacingRule spacing_rule(const SamplerConfig& config, int steps) {
  SpacingRule rule{config.timestep_spacing, steps, config.num_train_timesteps, config.steps_offset, false};
  // The single-step solver has no spacing of its own in diffusers.
  if (config.sigma_schedule == SigmaSchedule::kNormal || config.kind == SamplerKind::kDpmppSinglestep) {
    rule.spacing = TimestepSpacing::kLinspace;
  }
  return rule;
}

bool spreads_sigmas(SigmaSchedule schedule) {
  return schedule == SigmaSchedule::kKarras || schedule == SigmaSchedule::kExponential ||
         schedule == SigmaSchedule::kBeta;
}

std::vector<double> simple_timesteps(int train_timesteps, int steps) {
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) {
    const double stride = static_cast<double>(train_timesteps) / steps;
    timesteps.push_back(train_timesteps - 1 - std::floor(i * stride));
  }
  return timesteps;
}

double shift_sigma(double sigma, double shift) { return shift * sigma / (1 + (shift - 1) * sigma); }

double shift_dynamically(const SamplerConfig& config, double sigma) {
  if (!config.dynamic_mu) {
    throw Error(ErrorCode::kInvalidArgument, "the model's flow schedule shifts with the picture's size",
                "give the sampler its dynamic_mu");
  }
  const double factor = config.linear_time_shift ? *config.dynamic_mu : std::exp(*config.dynamic_mu);
  return factor / (factor + (1 / sigma - 1));
}

// Stretches 1 - sigma so that the last sigma is `terminal`.
void stretch_to_terminal(std::vector<double>& sigmas, double terminal) {
  const double scale = (1 - sigmas.back()) / (1 - terminal);
  for (double& sigma : sigmas) sigma = 1 - (1 - sigma) / scale;
}

std::vector<double> shift_sigmas(const SamplerConfig& config, std::vector<double> sigmas) {
  for (double& sigma : sigmas) {
    sigma = config.use_dynamic_shifting ? shift_dynamically(config, sigma)
                                        : shift_sigma(sigma, config.flow_shift);
  }
  return sigmas;
}

// The flow sigmas of the DPM-Solver family. UniPC and DPM++ use different grids.
std::vector<double> solver_flow_sigmas(const SamplerConfig& config, int steps) {
  const double smallest = 1.0 / config.num_train_timesteps;
  std::vector<double> sigmas = linspace(1, smallest, steps + 1);
  if (config.kind != SamplerKind::kUniPc) {
    for (double& sigma : sigmas) sigma = 1 - sigma;
    std::reverse(sigmas.begin(), sigmas.end());
  }
  sigmas.pop_back();
  sigmas = shift_sigmas(config, std::move(sigmas));
  if (config.kind == SamplerKind::kUniPc) {
    if (config.shift_terminal) stretch_to_terminal(sigmas, *config.shift_terminal);
    // At sigma 1 there is no signal and log(alpha) is infinite.
    if (std::fabs(sigmas.front() - 1) < 1e-6) sigmas.front() -= 1e-6;
  }
  return sigmas;
}

// Appends where the run ends, rounds to float and refuses a schedule that does not fall.
std::vector<float> finish_sigmas(const std::vector<double>& sigmas, double last) {
  std::vector<float> rounded(sigmas.begin(), sigmas.end());
  for (size_t i = 1; i < rounded.size(); ++i) {
    if (!(rounded[i] < rounded[i - 1])) {
      throw Error(ErrorCode::kInvalidArgument,
                  "the sampler's schedule has no room for " + std::to_string(sigmas.size()) + " steps",
                  "use fewer steps");
    }
  }
  rounded.push_back(static_cast<float>(last));
  return rounded;
}

void check_timesteps(const std::vector<double>& timesteps, int last_timestep) {
  for (const double timestep : timesteps) {
    if (timestep < 0 || timestep >= last_timestep) {
      throw Error(ErrorCode::kInvalidArgument,
                  std::to_string(timesteps.size()) + " steps reach past the model's training timesteps",
                  "use fewer steps");
    }
  }
}

}  // namespace

std::vector<double> spaced_timesteps(const SpacingRule& rule) {
  SNUG_CHECK(rule.count > 0, "a schedule has steps");
  const int points = rule.count + (rule.drop_last && rule.spacing != TimestepSpacing::kTrailing ? 1 : 0);
  std::vector<double> timesteps;
  for (int i = points - 1; i >= points - rule.count; --i) {
    switch (rule.spacing) {
      case TimestepSpacing::kLeading:
        timesteps.push_back(i * (rule.last_timestep / points) + rule.steps_offset);
        break;
      case TimestepSpacing::kTrailing: {
        const double stride = static_cast<double>(rule.last_timestep) / points;
        timesteps.push_back(std::nearbyint(rule.last_timestep - (points - 1 - i) * stride) - 1);
        break;
      }
      case TimestepSpacing::kLinspace: {
        const double stride = points > 1 ? static_cast<double>(rule.last_timestep - 1) / (points - 1) : 0;
        timesteps.push_back(i == points - 1 && points > 1 ? rule.last_timestep - 1 : i * stride);
        break;
      }
    }
  }
  check_timesteps(timesteps, rule.last_timestep);
  return timesteps;
}

std::vector<double> spread_sigmas(SigmaSchedule schedule, double largest, double smallest, int count) {
  constexpr double kRho = 7;
  constexpr double kBetaShape = 0.6;
  std::vector<double> sigmas;
  for (const double part : linspace(0, 1, count)) {
    if (schedule == SigmaSchedule::kKarras) {
      const double from = std::pow(largest, 1 / kRho);
      const double to = std::pow(smallest, 1 / kRho);
      sigmas.push_back(std::pow(from + part * (to - from), kRho));
    } else if (schedule == SigmaSchedule::kExponential) {
      sigmas.push_back(std::exp(std::log(largest) + part * (std::log(smallest) - std::log(largest))));
    } else {
      SNUG_CHECK(schedule == SigmaSchedule::kBeta, "a schedule between two sigmas");
      sigmas.push_back(smallest + symmetric_beta_quantile(1 - part, kBetaShape) * (largest - smallest));
    }
  }
  // Exact ends: the timestep found for them must be whole.
  sigmas.front() = largest;
  if (count > 1) sigmas.back() = smallest;
  return sigmas;
}

SigmaSteps euler_steps(const SamplerConfig& config, const TrainingSchedule& training, int steps) {
  std::vector<double> timesteps = config.sigma_schedule == SigmaSchedule::kSimple
                                      ? simple_timesteps(training.timesteps(), steps)
                                      : spaced_timesteps(spacing_rule(config, steps));
  std::vector<double> sigmas;
  for (const double timestep : timesteps) sigmas.push_back(training.sigma_at(static_cast<float>(timestep)));
  if (spreads_sigmas(config.sigma_schedule)) {
    sigmas = spread_sigmas(config.sigma_schedule, config.sigma_max.value_or(sigmas.front()),
                           config.sigma_min.value_or(sigmas.back()), steps);
    const bool whole = config.sigma_schedule == SigmaSchedule::kKarras &&
                       (config.kind == SamplerKind::kDpm2 || config.kind == SamplerKind::kDpm2Ancestral);
    for (size_t i = 0; i < sigmas.size(); ++i) {
      const double timestep = training.timestep_of(sigmas[i]);
      timesteps[i] = whole ? std::nearbyint(timestep) : timestep;
    }
  }
  const double last = config.final_sigma == FinalSigma::kZero ? 0 : training.sigmas().front();
  return {std::move(timesteps), finish_sigmas(sigmas, last)};
}

SigmaSteps solver_steps(const SamplerConfig& config, const TrainingSchedule& training, int steps) {
  std::vector<double> timesteps;
  std::vector<double> sigmas;
  const std::span<const float> trained = training.sigmas();
  if (config.sigma_schedule == SigmaSchedule::kFlow) {
    sigmas = solver_flow_sigmas(config, steps);
    for (const double sigma : sigmas) timesteps.push_back(std::trunc(sigma * config.num_train_timesteps));
  } else if (spreads_sigmas(config.sigma_schedule)) {
    sigmas = spread_sigmas(config.sigma_schedule, config.sigma_max.value_or(trained.back()),
                           config.sigma_min.value_or(trained.front()), steps);
    for (const double sigma : sigmas) {
      const double timestep = training.timestep_of(sigma);
      timesteps.push_back(config.sigma_schedule == SigmaSchedule::kKarras ? std::nearbyint(timestep)
                                                                          : std::trunc(timestep));
    }
  } else {
    SpacingRule rule = spacing_rule(config, steps);
    rule.drop_last = true;
    // log(alpha / sigma) falls with the timestep; those below the clip are not used.
    const auto usable = std::count_if(trained.begin(), trained.end(), [&](float sigma) {
      return -std::log(static_cast<double>(sigma)) >= config.lambda_min_clipped;
    });
    rule.last_timestep = static_cast<int>(usable);
    timesteps = config.sigma_schedule == SigmaSchedule::kSimple ? simple_timesteps(rule.last_timestep, steps)
                                                                : spaced_timesteps(rule);
    for (double& timestep : timesteps) {
      timestep = std::nearbyint(timestep);
      sigmas.push_back(training.sigma_at(timestep));
    }
  }
  // DEIS integrates in log sigma and cannot end at 0.
  const bool ends_at_zero = config.final_sigma == FinalSigma::kZero && config.kind != SamplerKind::kDeis;
  const double last = ends_at_zero ? 0 : trained.front();
  return {std::move(timesteps), finish_sigmas(sigmas, last)};
}

SigmaSteps flow_steps(const SamplerConfig& config, int steps) {
  // With a static shift the smallest sigma is shifted here and then once more with all others: so diffusers
  // does it, and so models were tuned.
  const double smallest = 1.0 / config.num_train_timesteps;
  const double last = config.use_dynamic_shifting ? 1.0 / steps : shift_sigma(smallest, config.flow_shift);
  std::vector<double> sigmas = shift_sigmas(config, linspace(1, last, steps));
  if (config.shift_terminal) stretch_to_terminal(sigmas, *config.shift_terminal);
  if (spreads_sigmas(config.sigma_schedule)) {
    sigmas = spread_sigmas(config.sigma_schedule, sigmas.front(), sigmas.back(), steps);
  }
  SigmaSteps result{{}, finish_sigmas(sigmas, 0)};
  for (int i = 0; i < steps; ++i) {
    result.timesteps.push_back(result.sigmas[static_cast<size_t>(i)] *
                               static_cast<float>(config.num_train_timesteps));
  }
  return result;
}

}  // namespace snug
