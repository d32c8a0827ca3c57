#include "monitor/statistics/time_to_limit.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "monitor/statistics/quantiles.h"
#include "monitor/statistics/trend.h"

namespace snug {
namespace {

constexpr double kMostSpans = 10;  // of what was watched
constexpr size_t kStretches = 12;
constexpr size_t kLastValues = 5;  // whose median distance from the line is today's
constexpr size_t kMostValues = 300;
// Student's t of 10 degrees of freedom at 95 %: eleven rises estimate the wander.
constexpr double kReach = 1.812;

// Variance of the walk per second, from the rises between the medians of stretches. Averaging makes a walk's
// rises smaller by a third, hence 1.5.
double wander_per_second(const Series& series, double slope) {
  const Series stretches = thinned(series.times_seconds, series.values, kStretches);
  double sum = 0;
  const size_t rises = stretches.values.size() - 1;
  for (size_t i = 0; i < rises; ++i) {
    const double seconds = stretches.times_seconds[i + 1] - stretches.times_seconds[i];
    if (seconds <= 0) continue;
    const double off = stretches.values[i + 1] - stretches.values[i] - slope * seconds;
    sum += off * off / seconds;
  }
  return 1.5 * sum / static_cast<double>(rises - 1);
}

struct Pace {
  double room, slope, slope_error, wander;

  // By how much the limit is passed after `seconds`, `reach` deviations off the pace.
  double beyond(double seconds, double reach) const {
    const double variance = slope_error * slope_error * seconds * seconds + wander * seconds;
    return slope * seconds + reach * std::sqrt(variance) - room;
  }

  // The first time at which the limit is passed, by halving; nothing if not until `most`.
  std::optional<double> crossing(double reach, double most) const {
    // With reach < 0 the value may sink first and rise later, but once above the limit it stays there.
    if (beyond(most, reach) < 0) return std::nullopt;
    double before = 0, after = most;
    for (int i = 0; i < 60; ++i) {
      const double middle = (before + after) / 2;
      (beyond(middle, reach) < 0 ? before : after) = middle;
    }
    return after;
  }
};

}  // namespace

const char* limit_outlook_word(LimitOutlook outlook) {
  switch (outlook) {
    case LimitOutlook::kReaches: return "reaches";
    case LimitOutlook::kReached: return "reached";
    case LimitOutlook::kNotApproaching: return "not_approaching";
    case LimitOutlook::kTooFar: return "too_far";
    case LimitOutlook::kTooLittleData: return "too_little_data";
  }
  SNUG_CHECK(false, "an outlook of the list");
}

TimeToLimit time_to_limit(std::span<const double> times_seconds, std::span<const double> values,
                          double limit) {
  TimeToLimit result;
  if (values.size() < kLeastForLimit) return result;
  const Series series = thinned(times_seconds, values, kMostValues);
  const std::optional<Trend> trend = find_trend(series.times_seconds, series.values, {.confidence = 0.9});
  const double watched = times_seconds.back() - times_seconds.front();
  if (!trend || watched <= 0) return result;
  result.slope = trend->slope;
  if (values.back() >= limit) {
    result.outlook = LimitOutlook::kReached;
    return result;
  }
  if (!trend->significant || trend->slope <= 0) {
    result.outlook = LimitOutlook::kNotApproaching;
    return result;
  }
  std::vector<double> off;
  for (size_t i = series.values.size() - kLastValues; i < series.values.size(); ++i)
    off.push_back(series.values[i] - trend->slope * series.times_seconds[i]);
  const double now = median_in_place(off) + trend->slope * times_seconds.back();
  Pace pace{.room = std::max(0.0, limit - now), .slope = trend->slope, .slope_error = 0, .wander = 0};
  pace.wander = wander_per_second(series, trend->slope);
  // The slope of a walk is known no better than its wander allows: 1.2 wander / watched is a fitted line's.
  pace.slope_error =
      std::max((trend->slope_high - trend->slope_low) / 2 / 1.645, std::sqrt(1.2 * pace.wander / watched));
  const double most = kMostSpans * watched;
  result.seconds = pace.crossing(0, most);
  if (!result.seconds) {
    result.outlook = LimitOutlook::kTooFar;
    return result;
  }
  result.outlook = LimitOutlook::kReaches;
  result.earliest_seconds = pace.crossing(kReach, most);
  result.latest_seconds = pace.crossing(-kReach, most);
  return result;
}

}  // namespace snug
