#include "monitor/statistics/outliers.h"

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

TEST(Outliers, ScoresAreThoseOfTheBook) {
  const std::vector<double> values = {2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3};
  // By hand: median 2.45, MAD 0.15, and z = 0.6745 (x - median) / MAD.
  EXPECT_NEAR(spread(values)->median, 2.45, 1e-12);
  EXPECT_NEAR(spread(values)->deviation, 1.4826 * 0.15, 1e-9);
  const std::vector<double> scores = *modified_z_scores(values);
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(scores[i], 0.6745 * (values[i] - 2.45) / 0.15, 1e-3 * std::abs(scores[i]) + 1e-9);
  EXPECT_EQ(find_outliers(values, {.fit_tail = false})->indices, (std::vector<size_t>{8, 9}));
}

TEST(Outliers, AreFoundWhereMostValuesAreEqual) {
  std::vector<double> values(30, 4.0);
  EXPECT_TRUE(find_outliers(values)->indices.empty());
  EXPECT_EQ(*modified_z_scores(values), std::vector<double>(30, 0.0));
  values[7] = 9;
  EXPECT_TRUE(spread(values)->from_mean_distance);
  EXPECT_EQ(find_outliers(values)->indices, std::vector<size_t>{7});
  // A difference that the caller says means nothing is none.
  EXPECT_TRUE(find_outliers(values, {.least_deviation = 5})->indices.empty());
}

TEST(Outliers, AreNotWhatACoarseClockDoesOften) {
  std::vector<double> values(100, 4.0);
  for (size_t i = 0; i < values.size(); i += 6) values[i] = 5;
  EXPECT_TRUE(find_outliers(values)->indices.empty());
  values[50] = 12;
  EXPECT_EQ(find_outliers(values)->indices, std::vector<size_t>{50});
}

TEST(Outliers, OfTooFewValuesAreNotGuessed) {
  EXPECT_FALSE(spread(std::vector<double>{1, 2}));
  EXPECT_FALSE(modified_z_scores(std::vector<double>{1, 2}));
  EXPECT_FALSE(find_outliers(std::vector<double>(19, 1.0)));
  EXPECT_TRUE(find_outliers(std::vector<double>(20, 1.0)));
  EXPECT_FALSE(find_outliers(std::vector<double>(9, 1.0), {.fit_tail = false}));
  EXPECT_TRUE(find_outliers(std::vector<double>(10, 1.0), {.fit_tail = false}));
}

TEST(Outliers, AreFewInNoiseAndFoundWhenPlanted) {
  constexpr int kSeries = 400;
  for (size_t count : {20, 50, 100, 400}) {
    for (Noise noise : kNoises) {
      RepeatableRandom random(10 + count);
      const double planted = noise == Noise::kHeavy ? 60 : 20;
      int alarms = 0, found = 0;
      for (int i = 0; i < kSeries; ++i) {
        std::vector<double> values = noise_series(noise, random, count);
        alarms += !find_outliers(values)->indices.empty();
        const size_t at = random.below(count);
        values[at] = random.uniform() < 0.5 ? planted : -planted;
        const Outliers outliers = *find_outliers(values);
        for (size_t index : outliers.indices) found += index == at;
      }
      const double alarm_percent = 100.0 * alarms / kSeries, found_percent = 100.0 * found / kSeries;
      const std::string_view name = noise_name(noise);
      std::printf("outliers, %zu values, %.*s: false alarms %.1f %%, found %.1f %% of %g deviations\n", count,
                  static_cast<int>(name.size()), name.data(), alarm_percent, found_percent, planted);
      EXPECT_LT(alarm_percent, 5) << name;
      EXPECT_GT(found_percent, 95) << name;
    }
  }
}

}  // namespace
}  // namespace snug
