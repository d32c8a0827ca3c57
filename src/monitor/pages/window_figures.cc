#include "monitor/pages/window_figures.h"

#include <algorithm>

#include "monitor/pages/page_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

ordered_json id_json(const RunRecord& record, const Viewer& viewer) {
  return viewer.may_name(record.owner) ? ordered_json(record.id) : ordered_json();
}

ordered_json error_json(const PlanError& error) {
  const std::optional<Summary> ratio = error.ratio.summary(), off = error.error.summary();
  return {{"count", ratio.has_value() ? ratio->count : 0},
          {"median_ratio", ratio.has_value() ? ordered_json(ratio->p50) : ordered_json()},
          {"p90_abs_error", off.has_value() ? ordered_json(off->p90) : ordered_json()}};
}

bool ran_to_the_end(const RunRecord& record) { return record.state == "done" && !record.cached; }

}  // namespace

ordered_json jobs_figures(const WindowStatistics& window) {
  const EndCounts& counts = window.counts();
  ordered_json hours = ordered_json::array(), failures = ordered_json::array();
  for (const HourStatistics& hour : window.hours()) {
    hours.push_back({{"hour_ms", hour.hour_ms},
                     {"done", hour.counts.done},
                     {"failed", hour.counts.failed},
                     {"cancelled", hour.counts.cancelled},
                     {"cached", hour.counts.cached}});
  }
  for (const auto& [code, count] : window.failures()) {
    failures.push_back({{"error_code", code}, {"count", count}});
  }
  return {{"per_hour", std::move(hours)},
          {"totals",
           {{"ended", counts.ended()},
            {"done", counts.done},
            {"failed", counts.failed},
            {"cancelled", counts.cancelled},
            {"cached", counts.cached},
            {"kept", counts.kept},
            {"pictures", counts.pictures}}},
          {"success_rate", or_null(counts.success_rate())},
          {"cache_rate", or_null(counts.cache_rate())},
          {"kept_rate", or_null(counts.kept_rate())},
          {"failures", std::move(failures)}};
}

ordered_json duration_figures(const WindowStatistics& window) {
  ordered_json by_model = ordered_json::array();
  for (const GroupStatistics& group : window.groups()) {
    const std::optional<Summary> summary = group.generation.summary();
    by_model.push_back({{"model", or_null(group.model)},
                        {"width", group.width},
                        {"height", group.height},
                        {"count", group.counts.ended()},
                        {"p50_seconds", summary.has_value() ? ordered_json(summary->p50) : ordered_json()},
                        {"p95_seconds", summary.has_value() ? ordered_json(summary->p95) : ordered_json()},
                        {"success_rate", or_null(group.counts.success_rate())}});
  }
  return {{"total", distribution_json(window.total(), "seconds")},
          {"generation", distribution_json(window.generation(), "seconds")},
          {"queue", distribution_json(window.queue(), "seconds")},
          {"by_model", std::move(by_model)}};
}

ordered_json stage_figures(const WindowStatistics& window) {
  ordered_json stages = ordered_json::array();
  for (const StageStatistics& stage : window.stages()) {
    const std::optional<Summary> summary = stage.distribution.summary();
    if (!summary.has_value() || stage.seconds <= 0) continue;
    stages.push_back({{"stage", stage.stage},
                      {"runs", summary->count},
                      {"mean_seconds", summary->mean},
                      {"p50_seconds", summary->p50},
                      {"p95_seconds", summary->p95},
                      {"share", or_null(stage.share)}});
  }
  return stages;
}

ordered_json plan_error_figures(const WindowStatistics& window) {
  return {{"seconds", error_json(window.seconds_error())}, {"peak", error_json(window.peak_error())}};
}

ordered_json plan_error_points(std::span<const RunRecord> newest_first, const Viewer& viewer) {
  ordered_json points = ordered_json::array();
  for (size_t i = newest_first.size(); i-- > 0;) {
    const RunRecord& record = newest_first[i];
    if (!ran_to_the_end(record)) continue;
    points.push_back({{"id", id_json(record, viewer)},
                      {"finished_ms", or_null(record.finished_ms)},
                      {"predicted_seconds", or_null(record.predicted_seconds)},
                      {"seconds", or_null(record.phases_seconds)},
                      {"planned_peak_bytes", or_null(record.planned_peak_bytes)},
                      {"peak_bytes", or_null(record.peak_bytes)}});
  }
  return points;
}

ordered_json memory_figures(std::span<const RunRecord> newest_first, const Viewer& viewer) {
  for (const RunRecord& record : newest_first) {
    if (!ran_to_the_end(record) || record.detail.empty()) continue;
    const ordered_json detail = ordered_json::parse(record.detail, nullptr, /*allow_exceptions=*/false);
    if (!detail.is_object() || !detail.contains("peak_kinds") || !detail["peak_kinds"].is_object()) continue;
    return {{"last_run", id_json(record, viewer)},
            {"finished_ms", or_null(record.finished_ms)},
            {"peak_kinds", detail["peak_kinds"]},
            {"planned_peak_bytes", or_null(record.planned_peak_bytes)},
            {"peak_bytes", or_null(record.peak_bytes)},
            {"budget_bytes", or_null(record.budget_bytes)}};
  }
  return {{"last_run", nullptr},           {"finished_ms", nullptr}, {"peak_kinds", ordered_json::object()},
          {"planned_peak_bytes", nullptr}, {"peak_bytes", nullptr},  {"budget_bytes", nullptr}};
}

}  // namespace snug
