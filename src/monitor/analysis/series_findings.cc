#include "monitor/analysis/series_findings.h"

#include <algorithm>
#include <cmath>

#include "monitor/statistics/quantiles.h"

namespace snug {
namespace {

// Trend and shift.
constexpr double kTests = 2;

// The values of one number of one series, as far as they are known.
struct Values {
  const RunSeries* series = nullptr;
  SeriesMetric metric = SeriesMetric::kGenerationSeconds;
  std::vector<const SeriesPoint*> points;
  std::vector<double> times_seconds, values;  // seconds since the first
};

Values values_of(const RunSeries& series, SeriesMetric metric, size_t most) {
  Values read;
  read.series = &series;
  read.metric = metric;
  for (const SeriesPoint& point : series.points)
    if (point.values[static_cast<size_t>(metric)]) read.points.push_back(&point);
  if (read.points.size() > most)
    read.points.erase(read.points.begin(), read.points.end() - static_cast<ptrdiff_t>(most));
  for (const SeriesPoint* point : read.points) {
    read.times_seconds.push_back(static_cast<double>(point->finished_ms - read.points.front()->finished_ms) /
                                 1000);
    read.values.push_back(*point->values[static_cast<size_t>(metric)]);
  }
  return read;
}

// A plan that is off by less is as good as one that is off by more; of the other two less is better.
bool is_worse(SeriesMetric metric, double before, double after) {
  if (metric == SeriesMetric::kPlanRatio) return std::abs(std::log(after)) > std::abs(std::log(before));
  return after > before;
}

void find_shifts(const Values& read, const SeriesOptions& options, SeriesFinding& finding) {
  ChangePointOptions change;
  change.significance = finding.significance;
  change.least_shift = options.least_change * finding.median;
  const auto points = find_change_points(read.values, change);
  if (!points) return;
  for (const ChangePoint& point : *points) {
    Shift shift;
    shift.change = point;
    shift.since_ms = read.points[point.index]->finished_ms;
    shift.relative = point.level_before > 0 ? point.level_after / point.level_before - 1 : 0;
    shift.is_worse = is_worse(read.metric, point.level_before, point.level_after);
    finding.shifts.push_back(shift);
  }
}

void find_trend_since_shift(const Values& read, const SeriesOptions& options, SeriesFinding& finding) {
  const size_t begin = finding.shifts.empty() ? 0 : finding.shifts.back().change.index;
  if (read.values.size() - begin < kLeastRuns) return;
  const std::span<const double> times = std::span(read.times_seconds).subspan(begin);
  TrendOptions trend_options;
  trend_options.significance = finding.significance;
  const auto trend = find_trend(times, std::span(read.values).subspan(begin), trend_options);
  if (!trend || !trend->significant) return;
  const double relative = trend->slope * (times.back() - times.front()) / finding.median;
  if (std::abs(relative) < options.least_change) return;
  finding.trend = trend;
  finding.trend_from_ms = read.points[begin]->finished_ms;
  finding.trend_relative = relative;
}

void find_far(const Values& read, const SeriesOptions& options, SeriesFinding& finding) {
  // About the level of its time: after a shift everything before would be far.
  const size_t begin = finding.shifts.empty() ? 0 : finding.shifts.back().change.index;
  const std::span<const double> values = std::span(read.values).subspan(begin);
  OutlierOptions outlier;
  outlier.least_deviation = 2 * options.least_change * finding.median / outlier.threshold;
  const auto outliers = find_outliers(values, outlier);
  if (!outliers) return;
  finding.far_threshold = outliers->threshold;
  for (const size_t index : outliers->indices) {
    const SeriesPoint& point = *read.points[begin + index];
    finding.far.push_back({point.id, point.finished_ms, values[index], outliers->scores[index]});
  }
}

}  // namespace

bool SeriesFinding::alarm() const {
  if (!shifts.empty() && shifts.back().is_worse) return true;
  if (!trend) return false;
  if (metric != SeriesMetric::kPlanRatio) return trend->slope > 0;
  const double after = std::max(1e-9, median * (1 + trend_relative / 2));
  const double before = std::max(1e-9, median * (1 - trend_relative / 2));
  return is_worse(metric, before, after);
}

SeriesFindings find_in_series(const std::vector<RunSeries>& series, const SeriesOptions& options) {
  SeriesFindings findings;
  std::vector<Values> long_enough;
  for (const RunSeries& one : series) {
    if (one.points.size() < kLeastRuns) {
      ++findings.too_short;
      continue;
    }
    for (size_t metric = 0; metric < kSeriesMetrics; ++metric) {
      Values read = values_of(one, static_cast<SeriesMetric>(metric), options.most_points);
      if (read.values.size() >= kLeastRuns) long_enough.push_back(std::move(read));
    }
  }
  findings.looked_at = long_enough.size();
  for (const Values& read : long_enough) {
    SeriesFinding finding;
    finding.key = read.series->key;
    finding.metric = read.metric;
    finding.count = read.values.size();
    finding.median = *quantile(read.values, 0.5);
    finding.from_ms = read.points.front()->finished_ms;
    finding.to_ms = read.points.back()->finished_ms;
    finding.significance = options.false_alarms / (kTests * static_cast<double>(long_enough.size()));
    find_shifts(read, options, finding);
    find_trend_since_shift(read, options, finding);
    find_far(read, options, finding);
    if (finding.trend || !finding.shifts.empty() || !finding.far.empty())
      findings.found.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace snug
