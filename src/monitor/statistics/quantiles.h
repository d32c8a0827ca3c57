// Exact quantiles and the summary of a sample that is kept whole. Called by whatever shows p50, p95 and the
// like of runs; for streams that are too long to keep there is t_digest.h, which is not exact.
//
// A quantile between two values is interpolated linearly: type 7 of Hyndman and Fan (1996), the default of
// numpy and R, so that figures can be compared with theirs digit for digit. Units are the caller's. Values
// are finite: what is unknown is left out by the caller, anything else is a bug. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace snug {

struct Summary {
  int64_t count = 0;
  double mean = 0;
  double minimum = 0;
  double maximum = 0;
  double p50 = 0, p75 = 0, p90 = 0, p95 = 0, p99 = 0;
};

// Nothing for no values. From one value on everything has a meaning, though p99 of fewer than 100 values lies
// between the two largest.
std::optional<Summary> summarize(std::span<const double> values);

// The quantile at `fraction` in [0, 1], 0.5 the median, of values in any order (selected, not sorted: O(n)).
// Nothing for no values.
std::optional<double> quantile(std::span<const double> values, double fraction);

// The same of at least one value in ascending order.
double sorted_quantile(std::span<const double> ascending, double fraction);

// A copy in ascending order.
std::vector<double> ascending_copy(std::span<const double> values);

// The median of at least one value, which are left in another order.
double median_in_place(std::span<double> values);

}  // namespace snug
