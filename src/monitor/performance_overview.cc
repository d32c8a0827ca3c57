// The pages that put others together: dashboard and report.
#include <utility>
#include <vector>

#include "monitor/exports/export_row.h"
#include "monitor/pages/page_json.h"
#include "monitor/pages/page_parts.h"
#include "monitor/pages/window_figures.h"
#include "monitor/performance.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// As many as a chart has room for.
constexpr int64_t kMostPlanPoints = 500, kChartPoints = 360, kLastDetails = 5;

}  // namespace

ordered_json Performance::dashboard(int64_t hours, const Viewer& viewer) const {
  const TimeWindow asked = window(hours);
  const WindowStatistics past = read_window_statistics(sources_.database, records_in(asked));
  RecordQuery newest = records_in(asked);
  newest.limit = kMostPlanPoints;
  newest.success_only = newest.runs_only = true;
  const RecordStore records(sources_.database);
  const std::vector<RunRecord> runs = records.records(newest);
  newest.limit = kLastDetails;
  newest.with_detail = true;
  const std::vector<RunRecord> detailed = records.records(newest);
  const ordered_json active = operations_active(viewer);
  ordered_json json;
  json["time"] = iso_time(sources_.database.now_ms());
  json["time_window_hours"] = hours;
  json["status"] = sources_.status_word ? sources_.status_word() : ordered_json();
  json["resources"] = resources_json(reading());
  json["resource_history"] = resources_history(hours, kChartPoints);
  json["active"] = active["active"];
  json["queue"] = active["queue"];
  json["jobs"] = jobs_figures(past);
  json["durations"] = duration_figures(past);
  json["stages"] = stage_figures(past);
  json["memory"] = memory_figures(detailed, viewer);
  json["plan_error"] = {{"points", plan_error_points(runs, viewer)}};
  json["plan_error"].update(plan_error_figures(past));
  json["bottlenecks"] = findings(sources_.bottlenecks, asked, viewer);
  json["advice"] = advice_list(asked);
  json["trends"] = findings(sources_.trends, asked, viewer);
  json["alerts"] = list_of(sources_.alerts);
  return json;
}

ordered_json Performance::report(int64_t hours, const Viewer& viewer) const {
  ordered_json json = dashboard(hours, viewer);
  // Of the moment alone, which a report is not about.
  for (const char* const name : {"resources", "active"}) json.erase(name);
  json["plan_error"].erase("points");
  const ordered_json analysed = analysis(hours, viewer);
  json["resource_efficiency"] = analysed["resource_efficiency"];
  json["performance_trends"] = analysed["performance_trends"];
  json["benchmarks"] = benchmarks(hours);
  return json;
}

}  // namespace snug
