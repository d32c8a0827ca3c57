// Values that stand far from the rest, by median and MAD. Called per series of like runs (one model, size and
// machine); which series are alike is the caller's.
//
// Modified z-scores and the threshold of 3.5 are those of Iglewicz and Hoaglin (How to detect and handle
// outliers, 1993). Their threshold fits normal noise; times on a busy machine have heavier tails, of
// which 3.5 would flag several in every hundred. find_outliers therefore raises the threshold to what the
// series' own tail explains: Tukey's h distribution is fitted to the median and an upper quantile of the
// distances (outliers are beyond that quantile as long as they are fewer than one in twenty, one in ten below
// 60 values), and the threshold is what one series in a hundred passes by chance.
//
// Units are the caller's. Values are finite; anything else is a bug. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace snug {

// Median, and spread about it in units of a standard deviation of normal noise.
struct Spread {
  double median = 0;
  // MAD x 1.4826. Where more than half of the values are equal and MAD is 0, the mean distance x 1.2533 (as
  // Iglewicz and Hoaglin have it), which is 0 only when all are equal.
  double deviation = 0;
  bool from_mean_distance = false;
};

// Nothing for fewer than kLeastForSpread values: of two the median is as far from one as from the other.
inline constexpr size_t kLeastForSpread = 3;
std::optional<Spread> spread(std::span<const double> values);

// (value - median) / deviation for each value; all 0 when all values are equal. Nothing as for spread().
std::optional<std::vector<double>> modified_z_scores(std::span<const double> values);

struct OutlierOptions {
  double threshold = 3.5;
  // Differences below this mean nothing (the clock's resolution, a page): the deviation is never taken for
  // less. Without it, a series that is all but constant has outliers that nobody would call so.
  double least_deviation = 0;
  // False: the threshold alone, whatever the tail and however many values, as in the book.
  bool fit_tail = true;
};

struct Outliers {
  Spread spread;
  double threshold = 0;         // that was used, in deviations; at least OutlierOptions::threshold
  std::vector<size_t> indices;  // ascending
  std::vector<double> scores;   // of every value, in deviations
};

// Nothing for fewer than kLeastForOutliers values, kLeastForTail when the tail is fitted.
inline constexpr size_t kLeastForOutliers = 10;
inline constexpr size_t kLeastForTail = 20;
std::optional<Outliers> find_outliers(std::span<const double> values, const OutlierOptions& options = {});

}  // namespace snug
