// What changes in the series of like runs: trends, shifts of the level, and runs far from the rest. Called by
// trends.h.
//
// Each watched number of each series with kLeastRuns values is asked:
//   shift  since when is its level another (binary segmentation, monitor/statistics/change_points.h)
//   trend  does it rise or fall (Theil-Sen, Mann-Kendall; trend.h), since the last shift where there is one,
//          so that a step is not told again as a trend
//   far    which runs are outliers (median and MAD with the series' own tail; outliers.h)
// A finding must be significant and matter: a shift, or what a trend comes to over its time, is at least
// `least_change` of the median, an outlier twice that away.
//
// Many series are looked at, and chance would raise an alarm in some of them each day. So the level of
// significance is shared out over all tests of one call (Bonferroni): `false_alarms` is the most, by the
// tests' own p-values, that one call in which nothing has changed raises any trend or shift.
//
// An alarm is what got worse: longer, larger, farther above the plan. What got better is a finding without
// one. Outliers are listed and never alarms: one slow run is an anecdote. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "monitor/analysis/run_series.h"
#include "monitor/statistics/change_points.h"
#include "monitor/statistics/outliers.h"
#include "monitor/statistics/trend.h"

namespace snug {

inline constexpr size_t kLeastRuns = 30;  // fewer do not show how runs in a row are alike (trend.h)

struct SeriesOptions {
  double false_alarms = 0.02;
  double least_change = 0.05;  // of the median
  size_t most_points = 200;    // the newest of a series: what was long ago is no news
};

struct Shift {
  ChangePoint change;
  int64_t since_ms = 0;  // the end of the first run at the new level
  double relative = 0;   // level after / before - 1
  bool is_worse = false;
};

struct FarRun {
  std::string id;
  int64_t finished_ms = 0;
  double value = 0, deviations = 0;
};

struct SeriesFinding {
  SeriesKey key;
  SeriesMetric metric = SeriesMetric::kGenerationSeconds;
  size_t count = 0;  // values
  double median = 0;
  int64_t from_ms = 0, to_ms = 0;  // the ends of the first and the last
  double significance = 0;         // of each test, after sharing out
  std::optional<Trend> trend;      // significant and large enough
  int64_t trend_from_ms = 0;
  double trend_relative = 0;  // what it comes to over its time, of the median
  std::vector<Shift> shifts;
  std::vector<FarRun> far;
  double far_threshold = 0;  // in deviations

  bool alarm() const;  // a trend or the last shift got worse
};

// Those in which something was found, and how many series were looked at.
struct SeriesFindings {
  std::vector<SeriesFinding> found;
  size_t looked_at = 0;  // numbers of series with enough runs
  size_t too_short = 0;  // series that had fewer than kLeastRuns
};

SeriesFindings find_in_series(const std::vector<RunSeries>& series, const SeriesOptions& options = {});

}  // namespace snug
