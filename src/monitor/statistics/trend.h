// Is a series rising or falling, by how much, and could it be chance. Called per series of like runs or
// samples.
//
// The slope is the median of the slopes of all pairs (Theil 1950, Sen 1968), its interval Sen's; whether
// there is a trend at all is Mann's and Kendall's test with the variance for ties. Both variances are widened
// for autocorrelation after Hamed and Rao (autocorrelation.h), since runs in a row are not independent.
//
// Pairs are n^2: more than kMostTrendPoints values are first made into that many medians of neighbours, which
// loses next to nothing of a trend. Sizes: about 10 ms at most. A trend that is significant may still be too
// small to matter, which the caller judges by `slope`. A step also counts as a trend; change_points.h tells.
//
// Times are seconds, ascending (equal ones make no pair); values are finite. Anything else is a bug. Pure;
// any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace snug {

struct TrendOptions {
  double confidence = 0.95;  // of the slope's interval
  // A trend is called significant below this p-value. 0.01, not 0.05: many series are looked at.
  double significance = 0.01;
};

struct Trend {
  double slope = 0;  // units of the value per second
  double slope_low = 0, slope_high = 0;
  double intercept = 0;  // of the line at time 0: the median of value - slope x time
  double p_value = 1;    // of no trend, two-sided
  bool significant = false;
  int64_t s = 0;               // Mann and Kendall's S: rising pairs less falling ones
  double variance_factor = 1;  // for autocorrelation; n / this values would say as much if independent
  size_t count = 0;            // values given
  size_t points = 0;           // that were used, at most kMostTrendPoints
};

inline constexpr size_t kMostTrendPoints = 1000;
// Autocorrelation cannot be seen in fewer, and not well below 30: an alarm is raised for one of twenty series
// of AR(1) 0.5 then, and for one of ten of AR(1) 0.8.
inline constexpr size_t kLeastForTrend = 10;

// Nothing for fewer than kLeastForTrend values, and when all are at one time.
std::optional<Trend> find_trend(std::span<const double> times_seconds, std::span<const double> values,
                                const TrendOptions& options = {});

// Medians of up to `most` runs of neighbours with (nearly) equal counts; the series itself when it is short.
struct Series {
  std::vector<double> times_seconds;
  std::vector<double> values;
};
Series thinned(std::span<const double> times_seconds, std::span<const double> values, size_t most);

}  // namespace snug
