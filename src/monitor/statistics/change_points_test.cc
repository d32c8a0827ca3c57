#include "monitor/statistics/change_points.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>

#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

using testing::kNoises;
using testing::Noise;
using testing::noise_name;
using testing::noise_series;

// The share of all ways to choose the first sample in which it stands at least as far out: Mann and Whitney's
// exact p-value, by going through all of them.
double exact_p_value(const std::vector<double>& first, const std::vector<double>& second) {
  std::vector<double> both = first;
  both.insert(both.end(), second.begin(), second.end());
  const auto u_of = [&](unsigned chosen) {
    double u = 0;
    for (size_t i = 0; i < both.size(); ++i)
      for (size_t k = 0; k < both.size(); ++k)
        if ((chosen >> i & 1) == 1 && (chosen >> k & 1) == 0)
          u += both[i] > both[k] ? 1 : both[i] == both[k] ? 0.5 : 0;
    return u;
  };
  const double middle = 0.5 * static_cast<double>(first.size() * second.size());
  const double seen = std::abs(u_of((1U << first.size()) - 1) - middle);
  int ways = 0, as_far = 0;
  for (unsigned chosen = 0; chosen < 1U << both.size(); ++chosen) {
    if (__builtin_popcount(chosen) != static_cast<int>(first.size())) continue;
    ++ways;
    as_far += std::abs(u_of(chosen) - middle) >= seen - 1e-9;
  }
  return static_cast<double>(as_far) / ways;
}

TEST(ChangePoints, MannWhitneyIsNearTheExactTest) {
  RepeatableRandom random(30);
  for (int round = 0; round < 12; ++round) {
    std::vector<double> first(5), second(6);
    for (double& value : first) value = random.normal();
    for (double& value : second) value = random.normal() + 0.2 * round;
    EXPECT_NEAR(mann_whitney_p_value(first, second), exact_p_value(first, second), 0.02);
  }
}

TEST(ChangePoints, OfTooLittleAreNothing) {
  EXPECT_FALSE(find_change_points(std::vector<double>(15, 1.0)));
  EXPECT_TRUE(find_change_points(std::vector<double>(16, 1.0))->empty());
}

TEST(ChangePoints, AreAllFoundWhereALevelComesBack) {
  RepeatableRandom random(31);
  int right = 0;
  constexpr int kSeries = 100;
  for (int round = 0; round < kSeries; ++round) {
    std::vector<double> values = noise_series(Noise::kWhite, random, 200);
    for (size_t i = 60; i < 130; ++i) values[i] += 4;
    for (size_t i = 160; i < 200; ++i) values[i] -= 4;
    const std::vector<ChangePoint> changes = *find_change_points(values);
    const auto near = [&](size_t k, double place) {
      return std::abs(static_cast<double>(changes[k].index) - place) <= 5;
    };
    right += changes.size() == 3 && near(0, 60) && near(1, 130) && near(2, 160);
  }
  std::printf("change points: all three of a series, none more, in %d %%\n", 100 * right / kSeries);
  EXPECT_GE(right, 90);
}

TEST(ChangePoints, SmallerThanAskedAreNotReported) {
  std::vector<double> values(40, 10.0);
  for (size_t i = 20; i < 40; ++i) values[i] = 10.5;
  const std::vector<ChangePoint> changes = *find_change_points(values);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].index, 20U);
  EXPECT_EQ(changes[0].level_before, 10);
  EXPECT_EQ(changes[0].level_after, 10.5);
  EXPECT_TRUE(find_change_points(values, {.least_shift = 1})->empty());
}

TEST(ChangePoints, AreRareInNoiseAndFoundWhenPlanted) {
  constexpr int kSeries = 300;
  for (size_t count : {40, 100, 300}) {
    for (Noise noise : kNoises) {
      RepeatableRandom random(32 + count);
      const double shift = (noise == Noise::kWhite   ? 28
                            : noise == Noise::kHeavy ? 34
                                                     : 56) /
                           std::sqrt(static_cast<double>(count));
      int alarms = 0, found = 0, more = 0;
      for (int i = 0; i < kSeries; ++i) {
        std::vector<double> values = noise_series(noise, random, count);
        alarms += !find_change_points(values)->empty();
        // Somewhere in the middle half.
        const size_t at = count / 4 + random.below(count / 2);
        for (size_t k = at; k < count; ++k) values[k] += shift;
        const std::vector<ChangePoint> changes = *find_change_points(values);
        // Within a tenth of the series.
        found += std::any_of(changes.begin(), changes.end(), [&](const ChangePoint& change) {
          return std::abs(static_cast<double>(change.index) - static_cast<double>(at)) <=
                 static_cast<double>(count) / 10;
        });
        more += changes.size() > 1;
      }
      const double alarm_percent = 100.0 * alarms / kSeries, found_percent = 100.0 * found / kSeries;
      const std::string_view name = noise_name(noise);
      std::printf(
          "change points, %zu values, %.*s: false alarms %.1f %%, found %.1f %% of a shift of %.1f, "
          "more than one %.1f %%\n",
          count, static_cast<int>(name.size()), name.data(), alarm_percent, found_percent, shift,
          100.0 * more / kSeries);
      EXPECT_LT(alarm_percent, 5) << name;
      EXPECT_GT(found_percent, 95) << name;
      EXPECT_LT(100.0 * more / kSeries, 5) << name;
    }
  }
}

}  // namespace
}  // namespace snug
