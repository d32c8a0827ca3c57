// Intervals for medians, and comparison of two things measured in turn. Called by benchmarks and by the check
// of an advice that was applied.
//
// median_interval is exact and free of assumptions: the ranks between which the true median lies follow from
// the binomial distribution alone (order statistics; e.g. Hahn and Meeker, 1991). compare_pairs is for
// interleaved pairs (a, b, a, b, ...), of which what disturbs one disturbs its neighbour: the median
// difference within pairs with that exact interval, and the ratio of medians with a percentile bootstrap over
// pairs (Efron 1979). The bootstrap draws from a fixed seed, so the same values give the same interval
// everywhere.
//
// Units are the caller's. Values are finite; anything else is a bug. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace snug {

struct EstimatedInterval {
  double value = 0;
  double low = 0, high = 0;
  double confidence = 0;  // that it has: of median_interval at least what was asked for
};

// Nothing if so few values cannot have the confidence whatever they are: fewer than 6 at 0.95, 5 at 0.9.
std::optional<EstimatedInterval> median_interval(std::span<const double> values, double confidence = 0.95);

struct PairedComparison {
  EstimatedInterval difference;  // median of candidate - base within pairs, exact
  EstimatedInterval ratio;       // median of candidate / median of base, bootstrap
  bool different = false;        // the difference's interval leaves 0 out
};

struct CompareOptions {
  double confidence = 0.95;
  uint64_t seed = 1;
  int resamples = 2000;
};

// Pair i is base[i], candidate[i]. Nothing as for median_interval, and where base's median is not above 0,
// for which there is no ratio.
std::optional<PairedComparison> compare_pairs(std::span<const double> base, std::span<const double> candidate,
                                              const CompareOptions& options = {});

}  // namespace snug
