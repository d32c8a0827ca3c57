// Where a regular series will be in the next steps, with intervals that were checked on held-out data. Called
// on roll-ups (a value a minute or an hour): disk in use, length of the queue, queue wait (queue_forecast.h).
//
// Two methods are run from every origin in the second half of the series (rolling origin), each seeing only
// what lay before: Theil's line (the median of slopes over half the stretch) through the last kLineValues
// values, and Holt's exponential smoothing with a damped trend (Gardner and McKenzie 1985), whose three
// settings are chosen on the first half alone. The one with the smaller mean absolute error is used. Its
// intervals are the quantile of its own absolute errors at each distance (split conformal prediction, Vovk et
// al. 2005), widened for errors that overlap and so are fewer than they seem. Nothing is assumed of the noise
// but that it goes on as it was.
//
// Values are predicted, not measured, and are called so wherever they are shown. At most the last kMostValues
// values are looked at. Values are finite; anything else is a bug. Pure; any thread; about 2 ms at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace snug {

enum class ForecastMethod : uint8_t { kLine, kDampedTrend };
// "theil_line", "damped_trend".
const char* forecast_method_word(ForecastMethod method);

struct ForecastPoint {
  double ahead_seconds = 0;
  double value = 0;
  double low = 0, high = 0;
};

struct Forecast {
  ForecastMethod method = ForecastMethod::kLine;
  std::vector<ForecastPoint> points;  // 1, 2, ... steps ahead
  double coverage = 0;                // asked of the intervals
  // The share of held-out values inside intervals that were made from earlier errors only: the last third of
  // the origins against the two thirds before. `checked_values` overlap, so it is rougher than their count
  // says.
  double checked_coverage = 0;
  size_t checked_values = 0;
};

struct ForecastOptions {
  double coverage = 0.9;  // in [0.5, 0.99]
};

inline constexpr size_t kLineValues = 60;
inline constexpr size_t kMostValues = 480;
// Of steps ahead there must be eight times as many values, and at least this many.
inline constexpr size_t kLeastForForecast = 40;
inline constexpr size_t kValuesPerStepAhead = 8;

// Nothing for too few values. `values` are `step_seconds` apart, the last is now.
std::optional<Forecast> forecast(std::span<const double> values, double step_seconds, size_t steps_ahead,
                                 const ForecastOptions& options = {});

}  // namespace snug
