#include "monitor/statistics/trend.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "monitor/statistics/autocorrelation.h"
#include "monitor/statistics/normal_distribution.h"
#include "monitor/statistics/quantiles.h"

namespace snug {
namespace {

struct Pairs {
  std::vector<double> slopes;  // of every pair at two times
  int64_t s = 0;
};

Pairs all_pairs(const Series& series) {
  const std::vector<double>&times = series.times_seconds, &values = series.values;
  Pairs pairs;
  pairs.slopes.reserve(times.size() * (times.size() - 1) / 2);
  for (size_t i = 0; i < times.size(); ++i)
    for (size_t j = i + 1; j < times.size(); ++j) {
      if (times[j] == times[i]) continue;
      const double rise = values[j] - values[i];
      pairs.slopes.push_back(rise / (times[j] - times[i]));
      pairs.s += (rise > 0) - (rise < 0);
    }
  return pairs;
}

// Sum over groups of equal values of t (t - 1) (2 t + 5).
double tie_term(std::span<const double> values) {
  const std::vector<double> sorted = ascending_copy(values);
  double sum = 0;
  for (size_t first = 0; first < sorted.size();) {
    size_t end = first;
    while (end < sorted.size() && sorted[end] == sorted[first]) ++end;
    const auto t = static_cast<double>(end - first);
    sum += t * (t - 1) * (2 * t + 5);
    first = end;
  }
  return sum;
}

// The k-th least, k clamped to what there is.
double kth(std::vector<double>& values, double k) {
  const auto at = static_cast<size_t>(std::clamp(k, 0.0, static_cast<double>(values.size() - 1)));
  std::nth_element(values.data(), values.data() + at, values.data() + values.size());
  return values[at];
}

}  // namespace

Series thinned(std::span<const double> times_seconds, std::span<const double> values, size_t most) {
  SNUG_CHECK(times_seconds.size() == values.size() && most > 0, "a time for each value");
  const size_t n = values.size();
  if (n <= most) return {{times_seconds.begin(), times_seconds.end()}, {values.begin(), values.end()}};
  Series result;
  for (size_t block = 0; block < most; ++block) {
    const size_t first = block * n / most, end = (block + 1) * n / most;
    result.times_seconds.push_back(*quantile(times_seconds.subspan(first, end - first), 0.5));
    result.values.push_back(*quantile(values.subspan(first, end - first), 0.5));
  }
  return result;
}

std::optional<Trend> find_trend(std::span<const double> times_seconds, std::span<const double> values,
                                const TrendOptions& options) {
  SNUG_CHECK(options.confidence > 0 && options.confidence < 1, "a confidence between 0 and 1");
  SNUG_CHECK(std::is_sorted(times_seconds.begin(), times_seconds.end()), "ascending times");
  const Series series = thinned(times_seconds, values, kMostTrendPoints);
  if (values.size() < kLeastForTrend) return std::nullopt;
  Pairs pairs = all_pairs(series);
  if (pairs.slopes.empty()) return std::nullopt;
  Trend trend;
  trend.count = values.size();
  trend.points = series.values.size();
  trend.s = pairs.s;
  trend.slope = median_in_place(pairs.slopes);
  std::vector<double> offsets(trend.points);
  for (size_t i = 0; i < trend.points; ++i)
    offsets[i] = series.values[i] - trend.slope * series.times_seconds[i];
  trend.intercept = *quantile(offsets, 0.5);
  trend.variance_factor = trend_variance_factor(offsets);

  const auto n = static_cast<double>(trend.points);
  const double variance = (n * (n - 1) * (2 * n + 5) - tie_term(series.values)) / 18 * trend.variance_factor;
  if (variance > 0) {
    // One unit less towards 0: the correction for continuity.
    const double s = std::abs(static_cast<double>(trend.s));
    trend.p_value = two_sided_p_value(std::max(0.0, s - 1) / std::sqrt(variance));
  }
  trend.significant = trend.p_value < options.significance;
  const double reach = normal_quantile(0.5 + options.confidence / 2) * std::sqrt(variance);
  const auto count = static_cast<double>(pairs.slopes.size());
  trend.slope_low = kth(pairs.slopes, std::floor((count - reach) / 2) - 1);
  trend.slope_high = kth(pairs.slopes, std::ceil((count + reach) / 2));
  return trend;
}

}  // namespace snug
