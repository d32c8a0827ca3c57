// How much less a series says than its count suggests, because neighbours are alike. Called by trend.cc and
// change_points.cc, whose tests would otherwise fire on every series of runs in a row.
//
// Everything is about a factor on the variance, at least 1: n correlated values weigh as much as n / factor
// independent ones. Series that swing back more than chance would (factor below 1) are treated as
// independent, which errs on the side of silence. Pure; any thread.
#pragma once

#include <span>
#include <vector>

namespace snug {

// Ranks from 1, ties share their mean rank.
std::vector<double> average_ranks(std::span<const double> values);

// The factor on the variance of Mann and Kendall's S, from residuals about the trend in the order of time:
// Hamed and Rao (1998), equation 10 with the significant autocorrelations of the residuals' ranks. The sample
// autocorrelation at lag 1 is too low, by (2 + 4 r) / n about a fitted line (Marriott and Pope 1954, Kendall
// 1954), and with it the method fires too often (Yue and Wang 2004); it is corrected, by a little more since
// the line's slope is a median, and where the series looks like AR(1) the correlations of that model are
// taken if they weigh more than those measured.
double trend_variance_factor(std::span<const double> residuals);

// The factor (1 + rho) / (1 - rho) on the variance of a mean, of an AR(1) series whose level may shift now
// and then: rho is estimated from squares of differences at lags 1, 2 and 4, the largest tenth of them left
// out, so that neither shifts nor far values count. A standard error is added to rho: too low a factor
// raises alarms.
double level_variance_factor(std::span<const double> values);

}  // namespace snug
