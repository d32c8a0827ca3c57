#include "monitor/advice/benchmark.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/error.h"
#include "monitor/statistics/repeatable_random.h"

namespace snug {
namespace {

TEST(SampleInterval, HoldsTheMedianAsOftenAsItSays) {
  RepeatableRandom random(5);
  for (const int count : {3, 6, 9}) {
    int inside = 0;
    double coverage = 0;
    constexpr int kSeries = 4000;
    for (int i = 0; i < kSeries; ++i) {
      std::vector<double> values;
      for (int k = 0; k < count; ++k) values.push_back(std::exp(random.normal()));
      const MedianInterval interval = sample_interval(values);
      coverage = interval.coverage;
      inside += interval.low <= 1 && 1 <= interval.high ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(inside) / kSeries, coverage, 0.02) << count;
  }
  EXPECT_DOUBLE_EQ(sample_interval({3}).median, 3);
  EXPECT_DOUBLE_EQ(sample_interval({3}).coverage, 0);
}

TEST(Weights, AreReadAndMadeOne) {
  const OptimiserWeights weights = parse_weights("time=3,quality=1");
  EXPECT_DOUBLE_EQ(weights.time, 0.75);
  EXPECT_DOUBLE_EQ(weights.memory, 0);
  EXPECT_DOUBLE_EQ(weights.quality, 0.25);
  for (const char* const wrong : {"", "time", "time=", "time=x", "time=-1", "speed=1", "time=0", "time=1,"})
    EXPECT_THROW(parse_weights(wrong), Error) << wrong;
}

BenchmarkVariant variant(double seconds, double bytes, double ssim) {
  BenchmarkVariant variant;
  variant.samples = variant.peak_samples = {1};
  variant.seconds.median = seconds;
  variant.peak_bytes.median = bytes;
  variant.ssim = ssim;
  return variant;
}

TEST(Judge, MarksWhatNothingElseIsBetterThan) {
  std::vector<BenchmarkVariant> variants = {variant(2, 100, 1), variant(1, 100, 1), variant(3, 50, 1),
                                            variant(1, 90, 0.5), variant(4, 60, 1)};
  variants.emplace_back();
  variants.back().problem = "cannot run";
  judge(variants, {0.6, 0.2, 0.2});
  const std::vector<bool> front = {false, true, true, true, false, false};
  for (size_t i = 0; i < front.size(); ++i) EXPECT_EQ(variants[i].on_front, front[i]) << i;
  EXPECT_DOUBLE_EQ(variants[0].score, 0.8);
  EXPECT_DOUBLE_EQ(variants[1].score, 0.5);
  EXPECT_DOUBLE_EQ(variants[3].score, 0.6 * 0.5 + 0.2 * 0.9 + 0.2 * 0.5);
  EXPECT_FALSE(std::isfinite(variants[5].score));
}

TEST(Judge, DoesNotPreferWhatRefusesJobs) {
  std::vector<BenchmarkVariant> variants = {variant(2, 100, 1), variant(0.1, 10, 1)};
  variants[1].failed = 1;
  judge(variants, {1, 0, 0});
  EXPECT_LT(variants[0].score, variants[1].score);
}

}  // namespace
}  // namespace snug
