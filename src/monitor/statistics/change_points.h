// When did the level of a series shift. Called per series of like runs, to say since when a model is slower.
//
// Binary segmentation (Scott and Knott 1974; Vostrikova 1981): in a stretch the place is taken where the sum
// of centred values is farthest from 0 (CUSUM), and it is a change if Kolmogorov's distribution, with the sum
// scaled by the long-run variance, says that chance would get that far in fewer than `significance` of
// series. Far values do not count: each is first brought in to three deviations (MAD) from the median of its
// seven neighbours. The long-run variance has the factor of level_variance_factor (autocorrelation.h), which
// shifts do not disturb. Then the two stretches are looked at in turn. At the end each change must pass a
// second test, that of Mann and Whitney between its final neighbours: it guards against stretches that differ
// in a few values only. (With autocorrelation, few values are left, and ranks of few values cannot be
// significant however large the shift is; hence that is the first test's alone.) O(n log n) per level.
//
// What it does not find: shifts of stretches shorter than kLeastStretch values, and changes of spread alone.
// A steady rise shows as one or more shifts; ask find_trend too. Places are of a few values' accuracy. Series
// whose neighbours correlate by 0.8 need 100 values: fewer raise an alarm in up to one of ten. Values are
// finite, in the order of time; anything else is a bug. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace snug {

struct ChangePoint {
  size_t index = 0;                          // the first value of the new level
  double level_before = 0, level_after = 0;  // medians of the stretches up to the neighbouring changes
  double p_value = 1;                        // of Mann and Whitney, between these stretches
};

struct ChangePointOptions {
  double significance = 0.01;
  // Shifts of levels that are smaller than this are not reported: significant, but nobody cares.
  double least_shift = 0;
};

inline constexpr size_t kLeastStretch = 8;
inline constexpr size_t kLeastForChangePoints = 2 * kLeastStretch;

// Ascending by index, empty where there is none; nothing for fewer than kLeastForChangePoints values.
std::optional<std::vector<ChangePoint>> find_change_points(std::span<const double> values,
                                                           const ChangePointOptions& options = {});

// Two-sided p-value of Mann and Whitney (normal approximation with ties and continuity) that two samples have
// one distribution; `variance_factor` as in autocorrelation.h, 1 for independent values. Both have values.
double mann_whitney_p_value(std::span<const double> first, std::span<const double> second,
                            double variance_factor = 1);

}  // namespace snug
