#include "monitor/statistics/forecast.h"

#include <cmath>
#include <cstdio>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

struct Process {
  std::string name;
  std::function<std::vector<double>(RepeatableRandom&, size_t)> make;
};

const std::vector<Process>& processes() {
  using testing::ar1_noise;
  using testing::Noise;
  using testing::noise_series;
  static const std::vector<Process> all = {
      {"level and white noise",
       [](RepeatableRandom& r, size_t n) { return noise_series(Noise::kWhite, r, n); }},
      {"line and heavy noise",
       [](RepeatableRandom& r, size_t n) {
         std::vector<double> values = noise_series(Noise::kHeavy, r, n);
         for (size_t i = 0; i < n; ++i) values[i] += 0.1 * static_cast<double>(i);
         return values;
       }},
      {"line and AR(1) 0.5",
       [](RepeatableRandom& r, size_t n) {
         std::vector<double> values = noise_series(Noise::kCorrelated, r, n);
         for (size_t i = 0; i < n; ++i) values[i] += 0.1 * static_cast<double>(i);
         return values;
       }},
      {"random walk with drift",
       [](RepeatableRandom& r, size_t n) {
         std::vector<double> values(n);
         double value = 0;
         for (double& out : values) out = value += 0.2 + r.normal();
         return values;
       }},
      {"a queue that comes and goes, AR(1) 0.9",
       [](RepeatableRandom& r, size_t n) { return ar1_noise(r, n, 0.9); }},
  };
  return all;
}

TEST(Forecast, IntervalsHoldWhatTheySayOnHeldOutData) {
  constexpr int kSeries = 120;
  constexpr size_t kAhead = 12;
  for (size_t count : {120, 240}) {
    for (const Process& process : processes()) {
      RepeatableRandom random(50 + count);
      int inside = 0, inside_last = 0, lines = 0;
      double checked = 0;
      for (int i = 0; i < kSeries; ++i) {
        const std::vector<double> values = process.make(random, count + kAhead);
        const Forecast made = *forecast(std::span(values).first(count), 300, kAhead);
        ASSERT_EQ(made.points.size(), kAhead);
        lines += made.method == ForecastMethod::kLine;
        checked += made.checked_coverage / kSeries;
        for (size_t h = 0; h < kAhead; ++h) {
          const ForecastPoint& point = made.points[h];
          EXPECT_DOUBLE_EQ(point.ahead_seconds, 300.0 * static_cast<double>(h + 1));
          const bool in = point.low <= values[count + h] && values[count + h] <= point.high;
          inside += in;
          inside_last += in && h + 1 == kAhead;
        }
      }
      const double percent = 100.0 * inside / (kSeries * kAhead);
      std::printf(
          "forecast of %zu values, %s: 90 %% intervals hold %.1f %%, %.1f %% at the far end, %.1f %% by "
          "their own check; a line in %d of %d\n",
          count, process.name.c_str(), percent, 100.0 * inside_last / kSeries, 100 * checked, lines, kSeries);
      EXPECT_GE(percent, 85) << process.name;
      EXPECT_LE(percent, 97) << process.name;
    }
  }
}

TEST(Forecast, ContinuesAPlainLine) {
  std::vector<double> values(60);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 5 + 2 * static_cast<double>(i);
  const Forecast made = *forecast(values, 1, 5);
  EXPECT_EQ(made.method, ForecastMethod::kLine);
  EXPECT_NEAR(made.points[4].value, 5 + 2 * 64, 1e-9);
  EXPECT_NEAR(made.points[4].low, made.points[4].high, 1e-9);
  EXPECT_EQ(made.checked_coverage, 1);
}

TEST(Forecast, OfTooFewValuesIsNone) {
  EXPECT_FALSE(forecast(std::vector<double>(39, 1.0), 60, 1));
  EXPECT_TRUE(forecast(std::vector<double>(40, 1.0), 60, 1));
  EXPECT_FALSE(forecast(std::vector<double>(95, 1.0), 60, 12));
  EXPECT_TRUE(forecast(std::vector<double>(96, 1.0), 60, 12));
}

}  // namespace
}  // namespace snug
