#include "monitor/statistics/quantiles.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace snug {
namespace {

void check_finite(std::span<const double> values) {
  for (double value : values) SNUG_CHECK(std::isfinite(value), "finite values; what is unknown is left out");
}

double quantile_in_place(std::span<double> values, double fraction) {
  SNUG_CHECK(!values.empty() && fraction >= 0 && fraction <= 1, "a sample, and a fraction in [0, 1]");
  const double place = fraction * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  double* const end = values.data() + values.size();
  std::nth_element(values.data(), values.data() + below, end);
  if (below + 1 == values.size()) return values[below];
  const double above = *std::min_element(values.data() + below + 1, end);
  return values[below] + (place - static_cast<double>(below)) * (above - values[below]);
}

}  // namespace

double median_in_place(std::span<double> values) { return quantile_in_place(values, 0.5); }

std::optional<double> quantile(std::span<const double> values, double fraction) {
  if (values.empty()) return std::nullopt;
  check_finite(values);
  std::vector<double> copy(values.begin(), values.end());
  return quantile_in_place(copy, fraction);
}

double sorted_quantile(std::span<const double> ascending, double fraction) {
  SNUG_CHECK(!ascending.empty() && fraction >= 0 && fraction <= 1, "a sample, and a fraction in [0, 1]");
  const double place = fraction * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<size_t>(place);
  if (below + 1 == ascending.size()) return ascending[below];
  return ascending[below] + (place - static_cast<double>(below)) * (ascending[below + 1] - ascending[below]);
}

std::vector<double> ascending_copy(std::span<const double> values) {
  check_finite(values);
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::optional<Summary> summarize(std::span<const double> values) {
  if (values.empty()) return std::nullopt;
  const std::vector<double> sorted = ascending_copy(values);
  double sum = 0;
  for (double value : sorted) sum += value;
  return Summary{.count = static_cast<int64_t>(sorted.size()),
                 .mean = sum / static_cast<double>(sorted.size()),
                 .minimum = sorted.front(),
                 .maximum = sorted.back(),
                 .p50 = sorted_quantile(sorted, 0.50),
                 .p75 = sorted_quantile(sorted, 0.75),
                 .p90 = sorted_quantile(sorted, 0.90),
                 .p95 = sorted_quantile(sorted, 0.95),
                 .p99 = sorted_quantile(sorted, 0.99)};
}

}  // namespace snug
