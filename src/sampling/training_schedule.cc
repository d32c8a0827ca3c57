#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "sampling/schedule.h"

namespace snug {
namespace {

// In float32 and from the nearer end, as torch.linspace computes it.
std::vector<float> linspace(float first, float last, int count) {
  const float step = (last - first) / static_cast<float>(count - 1);
  std::vector<float> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(i < count / 2 ? first + step * static_cast<float>(i)
                                   : last - step * static_cast<float>(count - 1 - i));
  }
  return values;
}

// Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models" (2021).
std::vector<float> cosine_betas(int count) {
  const auto alpha_bar = [](double part) {
    const double cosine = std::cos((part + 0.008) / 1.008 * std::numbers::pi / 2);
    return cosine * cosine;
  };
  std::vector<float> betas;
  for (int i = 0; i < count; ++i) {
    const double ratio =
        alpha_bar(static_cast<double>(i + 1) / count) / alpha_bar(static_cast<double>(i) / count);
    betas.push_back(static_cast<float>(std::min(1 - ratio, 0.999)));
  }
  return betas;
}

std::vector<float> make_betas(const SamplerConfig& config) {
  if (!config.trained_betas.empty()) return config.trained_betas;
  const int count = config.num_train_timesteps;
  switch (config.beta_schedule) {
    case BetaSchedule::kLinear:
      return linspace(static_cast<float>(config.beta_start), static_cast<float>(config.beta_end), count);
    case BetaSchedule::kScaledLinear: {
      std::vector<float> betas = linspace(static_cast<float>(std::sqrt(config.beta_start)),
                                          static_cast<float>(std::sqrt(config.beta_end)), count);
      for (float& beta : betas) beta *= beta;
      return betas;
    }
    case BetaSchedule::kSquaredCosine: return cosine_betas(count);
  }
  SNUG_CHECK(false, "every beta schedule has its betas");
}

// Running products in double, each rounded, as torch.cumprod does it.
std::vector<float> running_product(std::span<const float> alphas) {
  std::vector<float> products;
  double product = 1;
  for (const float alpha : alphas) {
    product *= alpha;
    products.push_back(static_cast<float>(product));
  }
  return products;
}

// Shifts and scales the square roots so that the last is 0 and the first stays: Lin et al. (2024),
// algorithm 1.
std::vector<float> rescale_to_zero_snr(std::span<const float> alpha_bars) {
  const float first = std::sqrt(alpha_bars.front());
  const float last = std::sqrt(alpha_bars.back());
  std::vector<float> rescaled;
  for (const float alpha_bar : alpha_bars) {
    const float root = (std::sqrt(alpha_bar) - last) * (first / (first - last));
    rescaled.push_back(root * root);
  }
  // Back to alphas and forth again, for diffusers keeps betas and its roundings are in the golden values.
  std::vector<float> alphas = {1 - (1 - rescaled.front())};
  for (size_t i = 1; i < rescaled.size(); ++i) alphas.push_back(1 - (1 - rescaled[i] / rescaled[i - 1]));
  return running_product(alphas);
}

}  // namespace

TrainingSchedule::TrainingSchedule(const SamplerConfig& config, bool keep_finite) {
  std::vector<float> alphas = make_betas(config);
  for (float& alpha : alphas) alpha = 1 - alpha;
  alpha_bars_ = running_product(alphas);
  if (config.rescale_betas_zero_snr) {
    alpha_bars_ = rescale_to_zero_snr(alpha_bars_);
    if (keep_finite) alpha_bars_.back() = 0x1p-24F;
  }
  for (const float alpha_bar : alpha_bars_) {
    sigmas_.push_back(std::sqrt((1 - alpha_bar) / alpha_bar));
    log_sigmas_.push_back(std::log(static_cast<double>(sigmas_.back())));
  }
}

double TrainingSchedule::alpha_bar(int t) const {
  SNUG_CHECK(t >= 0 && t < timesteps(), "a training timestep");
  return alpha_bars_[static_cast<size_t>(t)];
}

double TrainingSchedule::sigma_at(double timestep) const {
  const double clamped = std::clamp(timestep, 0.0, static_cast<double>(timesteps() - 1));
  const auto low = static_cast<size_t>(clamped);
  const double part = clamped - static_cast<double>(low);
  if (part == 0) return sigmas_[low];
  const double step = static_cast<double>(sigmas_[low + 1]) - sigmas_[low];
  return sigmas_[low] + part * step;
}

double TrainingSchedule::timestep_of(double sigma) const {
  const double log_sigma = std::log(std::max(sigma, 1e-10));
  const auto above = std::upper_bound(log_sigmas_.begin(), log_sigmas_.end(), log_sigma);
  const auto last_pair = static_cast<std::ptrdiff_t>(log_sigmas_.size()) - 2;
  const auto low =
      static_cast<size_t>(std::clamp<std::ptrdiff_t>(above - log_sigmas_.begin() - 1, 0, last_pair));
  const double part = (log_sigma - log_sigmas_[low]) / (log_sigmas_[low + 1] - log_sigmas_[low]);
  return static_cast<double>(low) + std::clamp(part, 0.0, 1.0);
}

}  // namespace snug
