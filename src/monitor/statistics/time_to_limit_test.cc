#include "monitor/statistics/time_to_limit.h"

#include <cmath>
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

using testing::regular_times;

// The true time is that of the same series going on.
TEST(TimeToLimit, IsWithinItsIntervalAsOftenAsItSays) {
  constexpr int kSeries = 200;
  constexpr size_t kCount = 120, kAfter = 2000;
  const std::vector<double> times = regular_times(kCount, 3600);
  for (const bool walk : {false, true}) {
    RepeatableRandom random(60);
    int inside = 0, asked = 0, open = 0;
    for (int i = 0; i < kSeries; ++i) {
      std::vector<double> values = testing::ar1_noise(random, kCount + kAfter, 0.5);
      double value = 0;
      for (size_t k = 0; k < values.size(); ++k) {
        value += 0.5 + (walk ? random.normal() : 0);
        values[k] = walk ? value : values[k] + 0.5 * static_cast<double>(k);
      }
      const double limit = values[kCount - 1] + 10 + 90 * random.uniform();
      size_t reached = kCount;
      while (reached < values.size() && values[reached] < limit) ++reached;
      const double truth = 3600.0 * static_cast<double>(reached - kCount + 1);
      const TimeToLimit found = time_to_limit(times, std::span(values).first(kCount), limit);
      if (found.outlook != LimitOutlook::kReaches) continue;
      ++asked;
      open += !found.latest_seconds;
      // To the hour between two values.
      inside += *found.earliest_seconds <= truth && truth - 3600 <= found.latest_seconds.value_or(INFINITY);
    }
    const double percent = 100.0 * inside / asked;
    std::printf("time to limit, %s: 90 %% interval holds %.1f %% of %d, %d without a latest time\n",
                walk ? "random walk with drift" : "line and AR(1) 0.5", percent, asked, open);
    EXPECT_GT(asked, kSeries * 9 / 10);
    EXPECT_GE(percent, 85);
  }
}

TEST(TimeToLimit, SaysWhyThereIsNone) {
  const auto outlook = [](size_t count, double slope, double limit) {
    RepeatableRandom random(61);
    std::vector<double> values = testing::noise_series(testing::Noise::kWhite, random, count);
    for (size_t i = 0; i < count; ++i) values[i] += slope * static_cast<double>(i);
    const TimeToLimit found = time_to_limit(regular_times(count, 60), values, limit);
    EXPECT_EQ(found.seconds.has_value(), found.outlook == LimitOutlook::kReaches);
    return std::string(limit_outlook_word(found.outlook));
  };
  EXPECT_EQ(outlook(23, 1, 100), "too_little_data");
  EXPECT_EQ(outlook(24, 1, 100), "reaches");
  EXPECT_EQ(outlook(100, 1, 150), "reaches");
  EXPECT_EQ(outlook(100, 1, 50), "reached");
  EXPECT_EQ(outlook(100, 0, 50), "not_approaching");
  EXPECT_EQ(outlook(100, -1, 50), "not_approaching");
  EXPECT_EQ(outlook(100, 1, 5000), "too_far");
  EXPECT_EQ(time_to_limit({}, {}, 1).outlook, LimitOutlook::kTooLittleData);
}

TEST(TimeToLimit, OfAPlainLineIsExact) {
  std::vector<double> values(50);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 2 * static_cast<double>(i);
  const TimeToLimit found = time_to_limit(regular_times(50, 10), values, 2 * 49 + 20);
  EXPECT_NEAR(*found.seconds, 100, 1e-6);
  EXPECT_NEAR(*found.earliest_seconds, 100, 1e-3);
  EXPECT_NEAR(*found.latest_seconds, 100, 1e-3);
}

}  // namespace
}  // namespace snug
