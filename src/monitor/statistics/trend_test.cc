#include "monitor/statistics/trend.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include <gtest/gtest.h>

#include "monitor/statistics/autocorrelation.h"
#include "monitor/statistics/quantiles.h"
#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

using testing::kNoises;
using testing::Noise;
using testing::noise_name;
using testing::noise_series;
using testing::regular_times;

// The second implementation: slopes in a sorted list; S from the places of values in those sorted before.
struct Naive {
  double slope;
  int64_t s;
  double variance;
};

Naive naive_trend(const std::vector<double>& times, const std::vector<double>& values) {
  std::multimap<double, bool> slopes;
  for (size_t j = 1; j < times.size(); ++j)
    for (size_t i = 0; i < j; ++i) slopes.emplace((values[i] - values[j]) / (times[i] - times[j]), true);
  auto middle = slopes.begin();
  std::advance(middle, (slopes.size() - 1) / 2);
  const double lower = middle->first;
  const double upper = slopes.size() % 2 == 1 ? lower : std::next(middle)->first;

  int64_t s = 0;
  std::vector<double> before;
  std::map<double, double> ties;
  for (double value : values) {
    s += std::lower_bound(before.begin(), before.end(), value) - before.begin();
    s -= before.end() - std::upper_bound(before.begin(), before.end(), value);
    before.insert(std::upper_bound(before.begin(), before.end(), value), value);
    ++ties[value];
  }
  const auto n = static_cast<double>(values.size());
  double variance = n * (n - 1) * (2 * n + 5) / 18;
  for (const auto& [value, t] : ties) variance -= t * (t - 1) * (2 * t + 5) / 18;
  return {(lower + upper) / 2, s, variance};
}

TEST(Trend, EqualsASecondImplementationOnRandomSeries) {
  RepeatableRandom random(20);
  for (int round = 0; round < 100; ++round) {
    const size_t count = kLeastForTrend + random.below(60);
    std::vector<double> times(count), values(count);
    double time = 0;
    for (size_t i = 0; i < count; ++i) {
      times[i] = time += 0.1 + random.uniform();
      values[i] = 0.1 * time + random.normal();
      if (round % 2 == 1) values[i] = std::round(values[i]);
    }
    const Naive naive = naive_trend(times, values);
    const Trend trend = *find_trend(times, values);
    EXPECT_NEAR(trend.slope, naive.slope, 1e-12);
    EXPECT_EQ(trend.s, naive.s);
    const double z = std::max(0.0, std::abs(static_cast<double>(naive.s)) - 1) /
                     std::sqrt(naive.variance * trend.variance_factor);
    EXPECT_NEAR(trend.p_value, std::erfc(z / std::sqrt(2.0)), 1e-12);
    EXPECT_LE(trend.slope_low, trend.slope);
    EXPECT_GE(trend.slope_high, trend.slope);
  }
}

TEST(Trend, OfTooLittleIsNothing) {
  EXPECT_FALSE(find_trend(regular_times(9, 1), std::vector<double>(9, 1.0)));
  EXPECT_FALSE(find_trend(std::vector<double>(20, 5.0), std::vector<double>(20, 1.0)));
  const Trend flat = *find_trend(regular_times(20, 1), std::vector<double>(20, 1.0));
  EXPECT_EQ(flat.slope, 0);
  EXPECT_EQ(flat.p_value, 1);
  EXPECT_FALSE(flat.significant);
}

TEST(Trend, OfALongSeriesIsThatOfItsMedians) {
  RepeatableRandom random(21);
  std::vector<double> values = testing::ar1_noise(random, 20'000, 0.5);
  const std::vector<double> times = regular_times(values.size(), 5);
  for (size_t i = 0; i < values.size(); ++i) values[i] += 3e-6 * times[i];
  const Trend trend = *find_trend(times, values);
  EXPECT_EQ(trend.points, kMostTrendPoints);
  EXPECT_EQ(trend.count, values.size());
  EXPECT_TRUE(trend.significant);
  EXPECT_LT(trend.slope_low, 3e-6);
  EXPECT_GT(trend.slope_high, 3e-6);
  EXPECT_LT(trend.slope_high - trend.slope_low, 2e-6);
}

TEST(Trend, RanksShareTies) {
  EXPECT_EQ(average_ranks(std::vector<double>{5, 1, 5, 0, 5}), (std::vector<double>{4, 2, 4, 1, 4}));
}

TEST(Trend, IsRareInNoiseFoundWhenPlantedAndWithinItsInterval) {
  constexpr int kSeries = 250;
  for (size_t count : {30, 60, 120}) {
    for (Noise noise : kNoises) {
      RepeatableRandom random(22 + count);
      const std::vector<double> times = regular_times(count, 1);
      // The rise over the whole series, in the noise's unit. Correlated values say a third as much.
      const double rise = (noise == Noise::kWhite   ? 22
                           : noise == Noise::kHeavy ? 30
                                                    : 56) /
                          std::sqrt(static_cast<double>(count));
      const double slope = rise / static_cast<double>(count);
      int alarms = 0, found = 0, inside = 0;
      for (int i = 0; i < kSeries; ++i) {
        std::vector<double> values = noise_series(noise, random, count);
        alarms += find_trend(times, values)->significant;
        for (size_t k = 0; k < count; ++k) values[k] += slope * times[k];
        const Trend trend = *find_trend(times, values);
        found += trend.significant && trend.slope > 0;
        inside += trend.slope_low <= slope && slope <= trend.slope_high;
      }
      const double alarm_percent = 100.0 * alarms / kSeries, found_percent = 100.0 * found / kSeries;
      const double inside_percent = 100.0 * inside / kSeries;
      const std::string_view name = noise_name(noise);
      std::printf(
          "trend, %zu values, %.*s: false alarms %.1f %%, found %.1f %% of a rise of %.1f, 95 %% "
          "interval holds %.1f %%\n",
          count, static_cast<int>(name.size()), name.data(), alarm_percent, found_percent, rise,
          inside_percent);
      EXPECT_LT(alarm_percent, 5) << name;
      EXPECT_GT(found_percent, 95) << name;
      EXPECT_GT(inside_percent, 91) << name;
    }
  }
}

}  // namespace
}  // namespace snug
