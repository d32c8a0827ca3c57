#include "monitor/statistics/quantiles.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "monitor/statistics/repeatable_random.h"

namespace snug {
namespace {

// The second implementation: the definition of type 7 read off the empirical distribution, one value at a
// time.
double naive_quantile(const std::vector<double>& values, double fraction) {
  std::multimap<double, int> ordered;
  for (double value : values) ordered.emplace(value, 0);
  const double place = fraction * (static_cast<double>(values.size()) - 1);
  auto it = ordered.begin();
  for (int i = 0; i < static_cast<int>(std::floor(place)); ++i) ++it;
  const double low = it->first;
  const double part = place - std::floor(place);
  if (part == 0) return low;
  return (1 - part) * low + part * std::next(it)->first;
}

TEST(Quantiles, EqualASecondImplementationOnRandomSamples) {
  RepeatableRandom random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<double> values(1 + random.below(200));
    // Rounded in every second round: ties.
    for (double& value : values) value = round % 2 == 0 ? random.normal() : std::round(3 * random.normal());
    const Summary summary = *summarize(values);
    EXPECT_EQ(summary.count, static_cast<int64_t>(values.size()));
    EXPECT_NEAR(summary.p50, naive_quantile(values, 0.50), 1e-12);
    EXPECT_NEAR(summary.p75, naive_quantile(values, 0.75), 1e-12);
    EXPECT_NEAR(summary.p90, naive_quantile(values, 0.90), 1e-12);
    EXPECT_NEAR(summary.p95, naive_quantile(values, 0.95), 1e-12);
    EXPECT_NEAR(summary.p99, naive_quantile(values, 0.99), 1e-12);
    EXPECT_EQ(summary.minimum, *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(summary.maximum, *std::max_element(values.begin(), values.end()));
    const double fraction = random.uniform();
    EXPECT_NEAR(*quantile(values, fraction), naive_quantile(values, fraction), 1e-12);
    EXPECT_EQ(*quantile(values, 1), summary.maximum);
    EXPECT_EQ(*quantile(values, 0), summary.minimum);
  }
}

TEST(Quantiles, AreTheOnesOfNumpy) {
  // numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6], [50, 75, 90, 95, 99])
  const std::vector<double> values = {3, 1, 4, 1, 5, 9, 2, 6};
  const Summary summary = *summarize(values);
  EXPECT_DOUBLE_EQ(summary.p50, 3.5);
  EXPECT_DOUBLE_EQ(summary.p75, 5.25);
  EXPECT_DOUBLE_EQ(summary.p90, 6.9);
  EXPECT_DOUBLE_EQ(summary.p95, 7.95);
  EXPECT_DOUBLE_EQ(summary.p99, 8.79);
  EXPECT_DOUBLE_EQ(summary.mean, 3.875);
}

TEST(Quantiles, OfNothingAreNothing) {
  EXPECT_FALSE(summarize({}));
  EXPECT_FALSE(quantile({}, 0.5));
  const std::vector<double> one = {7};
  EXPECT_EQ(summarize(one)->p99, 7);
}

}  // namespace
}  // namespace snug
