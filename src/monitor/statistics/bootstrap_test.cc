#include "monitor/statistics/bootstrap.h"

#include <cmath>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>

#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

TEST(MedianInterval, HasTheRanksOfTheTables) {
  std::vector<double> values;
  for (int i = 1; i <= 20; ++i) values.push_back(i);
  // n = 20 at 95 %: the 6th and the 15th, confidence 0.9586.
  const EstimatedInterval interval = *median_interval(values);
  EXPECT_EQ(interval.low, 6);
  EXPECT_EQ(interval.high, 15);
  EXPECT_EQ(interval.value, 10.5);
  EXPECT_NEAR(interval.confidence, 0.9586, 1e-4);
  EXPECT_FALSE(median_interval(std::span(values).first(5)));
  EXPECT_TRUE(median_interval(std::span(values).first(6)));
  EXPECT_TRUE(median_interval(std::span(values).first(5), 0.9));
  EXPECT_FALSE(median_interval({}));
}

TEST(MedianInterval, HoldsTheMedianAsOftenAsItSays) {
  constexpr int kSeries = 3000;
  RepeatableRandom random(80);
  for (size_t count : {6, 15, 40}) {
    int inside = 0;
    double says = 0;
    for (int i = 0; i < kSeries; ++i) {
      std::vector<double> values(count);
      for (double& value : values) value = std::exp(random.normal());  // median 1, skewed
      const EstimatedInterval interval = *median_interval(values);
      inside += interval.low <= 1 && 1 <= interval.high;
      says = interval.confidence;
    }
    std::printf("median of %zu: interval holds %.1f %%, says %.1f %%\n", count, 100.0 * inside / kSeries,
                100 * says);
    EXPECT_NEAR(static_cast<double>(inside) / kSeries, says, 0.02);
  }
}

TEST(ComparePairs, FindsWhatPairsShareNothingOf) {
  constexpr int kSeries = 300;
  constexpr size_t kPairs = 15;
  RepeatableRandom random(81);
  int alarms = 0, found = 0, inside = 0;
  for (int i = 0; i < kSeries; ++i) {
    std::vector<double> base(kPairs), same(kPairs), slower(kPairs);
    for (size_t k = 0; k < kPairs; ++k) {
      // Both of a pair share what the machine does meanwhile, 20 %; their own noise is of 1 %, heavy-tailed.
      const double machine = 10 * (1 + 0.2 * random.uniform());
      base[k] = machine * (1 + 0.01 * testing::heavy_value(random));
      same[k] = machine * (1 + 0.01 * testing::heavy_value(random));
      slower[k] = 1.03 * machine * (1 + 0.01 * testing::heavy_value(random));
    }
    const CompareOptions options{.resamples = 400};
    alarms += compare_pairs(base, same, options)->different;
    const PairedComparison comparison = *compare_pairs(base, slower, options);
    found += comparison.different && comparison.difference.low > 0;
    inside += comparison.ratio.low <= 1.03 && 1.03 <= comparison.ratio.high;
  }
  std::printf(
      "pairs of %zu: false alarms %.1f %%, found %.1f %% of 3 %% slower, 95 %% interval of the ratio holds "
      "%.1f %%\n",
      kPairs, 100.0 * alarms / kSeries, 100.0 * found / kSeries, 100.0 * inside / kSeries);
  EXPECT_LT(alarms, 0.05 * kSeries);
  EXPECT_GT(found, 0.95 * kSeries);
  EXPECT_GT(inside, 0.92 * kSeries);
}

TEST(ComparePairs, RepeatsAndRefusesTooLittle) {
  const std::vector<double> base = {5, 4, 6, 5, 7, 5}, candidate = {4, 4, 5, 4, 6, 4};
  const PairedComparison first = *compare_pairs(base, candidate), again = *compare_pairs(base, candidate);
  EXPECT_EQ(first.ratio.low, again.ratio.low);
  EXPECT_EQ(first.ratio.high, again.ratio.high);
  EXPECT_DOUBLE_EQ(first.ratio.value, 0.8);
  EXPECT_EQ(first.difference.value, -1);
  EXPECT_FALSE(compare_pairs(std::span(base).first(5), std::span(candidate).first(5)));
  EXPECT_FALSE(compare_pairs(std::vector<double>(6, 0.0), candidate));
}

}  // namespace
}  // namespace snug
