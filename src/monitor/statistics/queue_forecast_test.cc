#include "monitor/statistics/queue_forecast.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>

#include "monitor/statistics/quantiles.h"
#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

struct Jobs {
  std::vector<double> times, waits;
};

// One server, jobs at random (Poisson) times, run times spread by a half: waits follow from Lindley's rule.
Jobs simulate_queue(RepeatableRandom& random, double seconds, double mean_gap, double mean_run) {
  Jobs jobs;
  double arrival = 0, free = 0;
  while (arrival < seconds) {
    arrival += -mean_gap * std::log(1 - random.uniform());
    const double begin = std::max(arrival, free);
    free = begin + mean_run * (0.5 + random.uniform());
    if (begin > seconds) break;
    jobs.times.push_back(begin);
    jobs.waits.push_back(begin - arrival);
  }
  return jobs;
}

TEST(QueueForecast, HoldsTheWaitsOfTheNextHour) {
  constexpr int kSeries = 100;
  constexpr double kNow = 20 * 3600.0;
  RepeatableRandom random(70);
  int inside = 0, asked = 0, forecasts = 0;
  for (int i = 0; i < kSeries; ++i) {
    const Jobs jobs = simulate_queue(random, kNow + 3600, 60, 54);
    const size_t known = std::upper_bound(jobs.times.begin(), jobs.times.end(), kNow) - jobs.times.begin();
    const QueueForecast found =
        forecast_queue_wait(std::span(jobs.times).first(known), std::span(jobs.waits).first(known), kNow);
    if (!found.forecast) continue;
    ++forecasts;
    for (const ForecastPoint& point : found.forecast->points) {
      std::vector<double> waits;
      for (size_t k = known; k < jobs.times.size(); ++k)
        if (jobs.times[k] > kNow + point.ahead_seconds - kQueueBinSeconds &&
            jobs.times[k] <= kNow + point.ahead_seconds)
          waits.push_back(jobs.waits[k]);
      const std::optional<double> median = quantile(waits, 0.5);
      if (!median) continue;
      ++asked;
      inside += point.low <= *median && *median <= point.high;
      EXPECT_GE(point.low, 0);
    }
  }
  const double percent = 100.0 * inside / asked;
  std::printf(
      "queue wait over the next hour, one server at 90 %% load: 90 %% intervals hold %.1f %% of %d bins\n",
      percent, asked);
  EXPECT_GE(forecasts, kSeries * 9 / 10);
  EXPECT_GE(percent, 85);
  EXPECT_LE(percent, 97);
}

TEST(QueueForecast, SaysWhyThereIsNone) {
  const auto every = [](double gap, double from, double to) {
    Jobs jobs;
    for (double time = from; time <= to; time += gap) {
      jobs.times.push_back(time);
      jobs.waits.push_back(10);
    }
    return jobs;
  };
  const auto outlook = [](const Jobs& jobs, double now) {
    return forecast_queue_wait(jobs.times, jobs.waits, now);
  };
  EXPECT_EQ(outlook({}, 0).outlook, QueueOutlook::kTooLittleData);
  EXPECT_EQ(outlook(every(100, 0, 7 * 3600), 7 * 3600).outlook, QueueOutlook::kTooLittleData);
  EXPECT_EQ(outlook(every(100, 0, 9 * 3600), 9 * 3600).outlook, QueueOutlook::kForecast);
  EXPECT_EQ(outlook(every(900, 0, 20 * 3600), 20 * 3600).outlook, QueueOutlook::kTooManyGaps);
  // Nothing has begun for half an hour: that is no wait of 10 s.
  EXPECT_EQ(outlook(every(100, 0, 20 * 3600), 20.5 * 3600).outlook, QueueOutlook::kTooManyGaps);
  const QueueForecast bridged = outlook(every(350, 0, 20 * 3600), 20 * 3600);
  EXPECT_EQ(bridged.outlook, QueueOutlook::kForecast);
  EXPECT_GT(bridged.bridged_bins, 0U);
  EXPECT_NEAR(bridged.forecast->points.back().value, 10, 1e-9);
}

}  // namespace
}  // namespace snug
