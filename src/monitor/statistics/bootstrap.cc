#include "monitor/statistics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "monitor/statistics/quantiles.h"
#include "monitor/statistics/repeatable_random.h"

namespace snug {
namespace {

// P(of n values exactly k lie below the median).
double half_binomial(size_t n, size_t k) {
  const auto count = static_cast<double>(n), below = static_cast<double>(k);
  return std::exp(std::lgamma(count + 1) - std::lgamma(below + 1) - std::lgamma(count - below + 1) -
                  count * std::log(2.0));
}

// Of pairs drawn with putting back. A draw whose base has the median 0 has no ratio and counts as infinite.
std::vector<double> resampled_ratios(std::span<const double> base, std::span<const double> candidate,
                                     const CompareOptions& options) {
  RepeatableRandom random(options.seed);
  std::vector<double> ratios, drawn_base(base.size()), drawn_candidate(base.size());
  for (int round = 0; round < options.resamples; ++round) {
    for (size_t i = 0; i < base.size(); ++i) {
      const uint64_t pair = random.below(base.size());
      drawn_base[i] = base[pair];
      drawn_candidate[i] = candidate[pair];
    }
    const double below = median_in_place(drawn_base), above = median_in_place(drawn_candidate);
    ratios.push_back(below > 0 ? above / below : INFINITY);
  }
  std::sort(ratios.begin(), ratios.end());
  return ratios;
}

}  // namespace

std::optional<EstimatedInterval> median_interval(std::span<const double> values, double confidence) {
  SNUG_CHECK(confidence > 0 && confidence < 1, "a confidence between 0 and 1");
  const size_t n = values.size();
  // Between the (k+1)-th least and the (k+1)-th largest lies the median unless at most k values are below it,
  // or at most k above.
  double outside = 0;
  std::optional<size_t> rank;
  double left = 0;
  for (size_t k = 0; 2 * k < n; ++k) {
    outside += 2 * half_binomial(n, k);
    if (outside > 1 - confidence) break;
    rank = k;
    left = outside;
  }
  if (!rank) return std::nullopt;
  const std::vector<double> sorted = ascending_copy(values);
  return EstimatedInterval{.value = sorted_quantile(sorted, 0.5),
                           .low = sorted[*rank],
                           .high = sorted[n - 1 - *rank],
                           .confidence = 1 - left};
}

std::optional<PairedComparison> compare_pairs(std::span<const double> base, std::span<const double> candidate,
                                              const CompareOptions& options) {
  SNUG_CHECK(base.size() == candidate.size() && options.resamples > 0, "pairs");
  std::vector<double> differences;
  for (size_t i = 0; i < base.size(); ++i) differences.push_back(candidate[i] - base[i]);
  const std::optional<EstimatedInterval> difference = median_interval(differences, options.confidence);
  if (!difference) return std::nullopt;
  const double base_median = *quantile(base, 0.5);
  if (base_median <= 0) return std::nullopt;
  const std::vector<double> ratios = resampled_ratios(base, candidate, options);
  const auto at = [&](double fraction) {
    return ratios[static_cast<size_t>(std::lround(fraction * static_cast<double>(ratios.size() - 1)))];
  };
  PairedComparison result{.difference = *difference, .ratio = {}, .different = false};
  result.ratio = {.value = *quantile(candidate, 0.5) / base_median,
                  .low = at((1 - options.confidence) / 2),
                  .high = at((1 + options.confidence) / 2),
                  .confidence = options.confidence};
  result.different = difference->low > 0 || difference->high < 0;
  return result;
}

}  // namespace snug
