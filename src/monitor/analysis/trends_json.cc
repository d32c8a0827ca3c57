#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "monitor/analysis/trends.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

ordered_json json_of(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

std::string value_text(SeriesMetric metric, double value) {
  switch (metric) {
    case SeriesMetric::kGenerationSeconds: return format_seconds(std::max(0.0, value));
    case SeriesMetric::kPeakBytes: return format_bytes(static_cast<uint64_t>(std::max(0.0, value)));
    case SeriesMetric::kPlanRatio: return fmt::format("{:.2f} times the prediction", value);
  }
  return {};
}

std::string what_of(const SeriesFinding& finding) {
  const char* const what = finding.metric == SeriesMetric::kGenerationSeconds ? "The time of a run"
                           : finding.metric == SeriesMetric::kPeakBytes       ? "The peak memory of a run"
                                                                        : "The time of a run beside its plan";
  return fmt::format("{} of {} at {}x{} with {} steps", what, finding.key.model, finding.key.width,
                     finding.key.height, finding.key.steps);
}

std::string advice_of(SeriesMetric metric, bool worse) {
  if (!worse) return "Nothing is to be done.";
  switch (metric) {
    case SeriesMetric::kGenerationSeconds:
      return "Compare the bottlenecks of runs before and after: other programs, heat and a slower disk show "
             "there.";
    case SeriesMetric::kPeakBytes:
      return "Compare the plans of runs before and after, and what else the process keeps.";
    case SeriesMetric::kPlanRatio: return "Measure this machine's rates again with `snug calibrate`.";
  }
  return {};
}

ordered_json head(const char* kind, bool alarm, const SeriesFinding& finding) {
  const SeriesKey& key = finding.key;
  return {{"kind", kind},
          {"alarm", alarm},
          {"metric", series_metric_name(finding.metric)},
          {"unit", series_metric_unit(finding.metric)},
          {"model", key.model},
          {"width", key.width},
          {"height", key.height},
          {"machine", key.machine},
          {"steps", key.steps},
          {"sampler", key.sampler},
          {"precision", key.precision},
          {"batch", key.batch},
          {"threads", key.threads},
          {"kept", key.kept},
          {"runs", finding.count},
          {"median", finding.median},
          {"from_ms", finding.from_ms},
          {"to_ms", finding.to_ms}};
}

ordered_json trend_json(const SeriesFinding& finding) {
  constexpr double kHour = 3600;
  const Trend& trend = *finding.trend;
  const bool worse = finding.shifts.empty() ? finding.alarm() : trend.slope > 0;
  ordered_json json = head("trend", worse, finding);
  json["since_ms"] = finding.trend_from_ms;
  json["slope_per_hour"] = trend.slope * kHour;
  json["interval"] = {{"low_per_hour", trend.slope_low * kHour},
                      {"high_per_hour", trend.slope_high * kHour},
                      {"confidence", TrendOptions().confidence}};
  json["change_percent"] = 100 * finding.trend_relative;
  json["p_value"] = trend.p_value;
  json["significance"] = finding.significance;
  json["method"] = "Theil-Sen slope; Mann-Kendall test with Hamed and Rao's variance";
  json["description"] =
      fmt::format("{} {} by {:.0f} % of its median of {} since {} runs ago.", what_of(finding),
                  finding.trend_relative > 0 ? "rose" : "fell", 100 * std::abs(finding.trend_relative),
                  value_text(finding.metric, finding.median), trend.count);
  json["recommendation"] = advice_of(finding.metric, worse);
  return json;
}

ordered_json shift_json(const SeriesFinding& finding, const Shift& shift) {
  const bool last = &shift == &finding.shifts.back();
  ordered_json json = head("shift", last && shift.is_worse, finding);
  json["since_ms"] = shift.since_ms;
  json["level_before"] = shift.change.level_before;
  json["level_after"] = shift.change.level_after;
  json["change_percent"] = 100 * shift.relative;
  json["p_value"] = shift.change.p_value;
  json["significance"] = finding.significance;
  json["interval"] = nullptr;
  json["method"] = "binary segmentation with CUSUM; Mann-Whitney between the stretches";
  json["description"] =
      fmt::format("{} went from {} to {}, and has been there for {} runs.", what_of(finding),
                  value_text(finding.metric, shift.change.level_before),
                  value_text(finding.metric, shift.change.level_after), finding.count - shift.change.index);
  json["recommendation"] = advice_of(finding.metric, shift.is_worse);
  return json;
}

ordered_json far_json(const SeriesFinding& finding) {
  ordered_json json = head("outliers", false, finding);
  json["runs_far"] = ordered_json::array();
  const FarRun* farthest = &finding.far.front();
  for (const FarRun& run : finding.far) {
    json["runs_far"].push_back({{"id", run.id},
                                {"finished_ms", run.finished_ms},
                                {"value", run.value},
                                {"deviations", run.deviations}});
    if (std::abs(run.deviations) > std::abs(farthest->deviations)) farthest = &run;
  }
  json["threshold_deviations"] = finding.far_threshold;
  json["p_value"] = nullptr;
  json["interval"] = nullptr;
  json["method"] =
      "distance from the median in MAD x 1.4826; threshold 3.5 or what the series' own tail explains";
  json["description"] =
      fmt::format("{}: {} of {} runs are far from the median of {}; the farthest took {}.", what_of(finding),
                  finding.far.size(), finding.count, value_text(finding.metric, finding.median),
                  value_text(finding.metric, farthest->value));
  json["recommendation"] = "Look at the bottlenecks of these runs.";
  return json;
}

ordered_json points_json(const Forecast& forecast, const char* unit) {
  ordered_json points = ordered_json::array();
  for (const ForecastPoint& point : forecast.points) {
    points.push_back({{"ahead_seconds", point.ahead_seconds},
                      {fmt::format("predicted_{}", unit), point.value},
                      {fmt::format("low_{}", unit), point.low},
                      {fmt::format("high_{}", unit), point.high}});
  }
  return {{"method", forecast_method_word(forecast.method)},
          {"coverage", forecast.coverage},
          {"checked_coverage", forecast.checked_coverage},
          {"checked_values", forecast.checked_values},
          {"points", std::move(points)}};
}

ordered_json leak_json(const LeakFinding& leak) {
  const bool known = leak.verdict != LeakVerdict::kTooLittleData;
  ordered_json json = {{"kind", "leak"},
                       {"alarm", leak.leaking},
                       {"metric", "process_resident_bytes"},
                       {"unit", "bytes"},
                       {"verdict", leak_verdict_word(leak.verdict)},
                       {"watched_seconds", leak.watched_seconds},
                       {"bytes_per_hour", known ? ordered_json(leak.bytes_per_hour) : ordered_json()},
                       {"p_value", known ? ordered_json(leak.p_value) : ordered_json()},
                       {"method", "Theil-Sen and Mann-Kendall on the floor of 48 windows, and its shape"}};
  json["interval"] = known ? ordered_json{{"low_bytes_per_hour", leak.bytes_per_hour_low},
                                          {"high_bytes_per_hour", leak.bytes_per_hour_high},
                                          {"confidence", LeakOptions().confidence}}
                           : ordered_json();
  if (!known) {
    json["description"] = "Too few samples of the process's memory to tell whether it leaks.";
  } else if (leak.leaking) {
    json["description"] =
        fmt::format("The process's memory keeps growing, by {} an hour.",
                    format_bytes(static_cast<uint64_t>(std::max(0.0, leak.bytes_per_hour))));
  } else {
    json["description"] = fmt::format("The process's memory does not leak: over {} it was {}.",
                                      format_seconds(leak.watched_seconds), leak_verdict_word(leak.verdict));
  }
  json["recommendation"] =
      leak.leaking ? "Restart the service when its memory is needed, and report this with its samples."
                   : "Nothing is to be done.";
  return json;
}

ordered_json disk_json(const MachineOutlook& machine) {
  const TimeToLimit& full = machine.disk_full;
  const bool soon = full.outlook == LimitOutlook::kReached ||
                    (full.outlook == LimitOutlook::kReaches && *full.seconds < kDiskAlarmSeconds);
  ordered_json json = {
      {"kind", "disk"},
      {"alarm", soon},
      {"metric", "disk_free_bytes"},
      {"unit", "bytes"},
      {"outlook", limit_outlook_word(full.outlook)},
      {"full_in_seconds", json_of(full.seconds)},
      {"used_bytes_per_hour",
       full.outlook == LimitOutlook::kTooLittleData ? ordered_json() : ordered_json(full.slope * 3600)},
      {"p_value", nullptr},
      {"method", "Theil-Sen slope with the walk about it"}};
  json["interval"] = full.seconds ? ordered_json{{"earliest_seconds", json_of(full.earliest_seconds)},
                                                 {"latest_seconds", json_of(full.latest_seconds)},
                                                 {"confidence", 0.9}}
                                  : ordered_json();
  json["forecast"] =
      machine.disk_free_bytes ? points_json(*machine.disk_free_bytes, "bytes") : ordered_json();
  switch (full.outlook) {
    case LimitOutlook::kReaches:
      json["description"] = fmt::format("At the present pace the disk is full in {}, in {} at the earliest.",
                                        format_seconds(*full.seconds),
                                        format_seconds(full.earliest_seconds.value_or(*full.seconds)));
      break;
    case LimitOutlook::kReached: json["description"] = "The disk is full."; break;
    case LimitOutlook::kTooFar:
      json["description"] = "The disk fills, but too slowly for what was watched to say when it is full.";
      break;
    case LimitOutlook::kNotApproaching: json["description"] = "The disk does not fill."; break;
    case LimitOutlook::kTooLittleData:
      json["description"] = "Too few samples of the disk to tell whether it fills.";
      break;
  }
  json["recommendation"] =
      soon ? "Keep pictures for a shorter time, make the result cache smaller, or free space on the disk."
           : "Nothing is to be done.";
  return json;
}

ordered_json queue_json(const QueueForecast& queue) {
  ordered_json json = {{"kind", "queue"},
                       {"alarm", false},
                       {"metric", "queue_seconds"},
                       {"unit", "seconds"},
                       {"outlook", queue_outlook_word(queue.outlook)},
                       {"p_value", nullptr},
                       {"method", "medians of five minutes; intervals by split conformal prediction"},
                       {"interval", nullptr},
                       {"forecast", nullptr}};
  if (queue.forecast) {
    const ForecastPoint& last = queue.forecast->points.back();
    json["interval"] = {
        {"low_seconds", last.low}, {"high_seconds", last.high}, {"confidence", queue.forecast->coverage}};
    json["forecast"] = points_json(*queue.forecast, "seconds");
    json["description"] =
        fmt::format("In an hour a job is predicted to wait {}, between {} and {}.",
                    format_seconds(last.value), format_seconds(last.low), format_seconds(last.high));
  } else {
    json["description"] = queue.outlook == QueueOutlook::kTooManyGaps
                              ? "Jobs come too seldom to say how long they will wait."
                              : "Too few jobs have come to say how long they will wait.";
  }
  json["recommendation"] = "Nothing is to be done.";
  return json;
}

}  // namespace

ordered_json to_json(const Trends& trends) {
  std::vector<ordered_json> list;
  for (const SeriesFinding& finding : trends.series.found) {
    for (const Shift& shift : finding.shifts) list.push_back(shift_json(finding, shift));
    if (finding.trend) list.push_back(trend_json(finding));
    if (!finding.far.empty()) list.push_back(far_json(finding));
  }
  list.push_back(leak_json(trends.machine.leak));
  list.push_back(disk_json(trends.machine));
  list.push_back(queue_json(trends.machine.queue_seconds));
  std::stable_partition(list.begin(), list.end(),
                        [](const ordered_json& one) { return one["alarm"].get<bool>(); });
  return list;
}

}  // namespace snug
