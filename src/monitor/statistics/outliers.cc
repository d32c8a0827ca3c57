#include "monitor/statistics/outliers.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "monitor/statistics/normal_distribution.h"
#include "monitor/statistics/quantiles.h"

namespace snug {
namespace {

constexpr double kMadToDeviation = 1.4826;     // 1 / normal_quantile(0.75)
constexpr double kMeanToDeviation = 1.253314;  // sqrt(pi / 2)
// One series of noise in a hundred may pass; as much again passes because the tail is fitted.
constexpr double kSeriesRate = 0.01;
// What the tail is taken for before there are values: somewhat above the 0.2 of Student's t with 3 degrees of
// freedom, which times on a busy machine are near. It weighs as much as this many values; chosen on the
// simulated series of the test.
constexpr double kUsualTail = 0.25;
constexpr double kUsualTailWeight = 200;

std::vector<double> distances_from(std::span<const double> values, double median) {
  std::vector<double> distances;
  distances.reserve(values.size());
  for (double value : values) distances.push_back(std::abs(value - median));
  return distances;
}

// The distance, in deviations, that the largest of n values of a Tukey h distribution passes at kSeriesRate:
// x = z exp(h z^2 / 2), where h is what makes the fitted quantile as far out as it is.
double tail_threshold(std::span<const double> values, const Spread& spread) {
  const auto n = static_cast<double>(values.size());
  const std::vector<double> distances = distances_from(values, spread.median);
  const double middle = *quantile(distances, 0.5);
  const double fraction = values.size() < 60 ? 0.9 : 0.95;
  // Nothing to fit where more than half are equal; but what one value in ten or twenty does is no outlier.
  if (middle == 0) return OutlierOptions().threshold * *quantile(distances, fraction) / spread.deviation;
  const double z_middle = normal_quantile(0.75), z_far = normal_quantile(0.5 + fraction / 2);
  const double ratio = *quantile(distances, fraction) / middle;
  const double fitted = std::log(ratio / (z_far / z_middle)) / ((z_far * z_far - z_middle * z_middle) / 2);
  const double h = (n * std::max(0.0, fitted) + kUsualTailWeight * kUsualTail) / (n + kUsualTailWeight);
  const double z = normal_quantile(1 - kSeriesRate / (2 * n));
  return middle * z / z_middle * std::exp(h * (z * z - z_middle * z_middle) / 2) / spread.deviation;
}

}  // namespace

std::optional<Spread> spread(std::span<const double> values) {
  if (values.size() < kLeastForSpread) return std::nullopt;
  Spread result;
  result.median = *quantile(values, 0.5);
  const std::vector<double> distances = distances_from(values, result.median);
  result.deviation = kMadToDeviation * *quantile(distances, 0.5);
  if (result.deviation == 0) {
    double sum = 0;
    for (double distance : distances) sum += distance;
    result.deviation = kMeanToDeviation * sum / static_cast<double>(distances.size());
    result.from_mean_distance = true;
  }
  return result;
}

std::optional<std::vector<double>> modified_z_scores(std::span<const double> values) {
  const std::optional<Spread> about = spread(values);
  if (!about) return std::nullopt;
  std::vector<double> scores(values.size(), 0.0);
  if (about->deviation > 0)
    for (size_t i = 0; i < values.size(); ++i) scores[i] = (values[i] - about->median) / about->deviation;
  return scores;
}

std::optional<Outliers> find_outliers(std::span<const double> values, const OutlierOptions& options) {
  SNUG_CHECK(options.threshold > 0 && options.least_deviation >= 0, "a threshold above 0");
  if (values.size() < (options.fit_tail ? kLeastForTail : kLeastForOutliers)) return std::nullopt;
  Outliers result;
  result.spread = *spread(values);
  result.spread.deviation = std::max(result.spread.deviation, options.least_deviation);
  result.threshold = options.threshold;
  result.scores.assign(values.size(), 0.0);
  if (result.spread.deviation == 0) return result;
  if (options.fit_tail) result.threshold = std::max(result.threshold, tail_threshold(values, result.spread));
  for (size_t i = 0; i < values.size(); ++i) {
    result.scores[i] = (values[i] - result.spread.median) / result.spread.deviation;
    if (std::abs(result.scores[i]) > result.threshold) result.indices.push_back(i);
  }
  return result;
}

}  // namespace snug
