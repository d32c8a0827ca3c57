#include "monitor/performance.h"

#include <utility>
#include <vector>

#include "monitor/exports/export_row.h"
#include "monitor/pages/benchmarks.h"
#include "monitor/pages/page_json.h"
#include "monitor/pages/page_parts.h"
#include "monitor/pages/planned_uses.h"
#include "monitor/pages/task_list.h"
#include "monitor/pages/task_records.h"
#include "monitor/pages/window_figures.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr const char* kNothingSamples = "nothing samples the machine here; a running service does";
constexpr int64_t kLastJobs = 10;

}  // namespace

ResourceReading Performance::reading() const {
  if (sources_.resources) return sources_.resources();
  return {.sample = {}, .reasons = {}, .absent = kNothingSamples};
}

ordered_json Performance::resources_current() const {
  const ResourceReading now = reading();
  ordered_json json;
  json["time"] = now.sample.has_value() ? ordered_json(iso_time(now.sample->time_ms)) : ordered_json();
  json.update(resources_json(now));
  return json;
}

ordered_json Performance::resources_history(int64_t hours, int64_t most_points) const {
  const TimeWindow asked = window(hours);
  if (!sources_.history) return {{"fields", ordered_json::array()}, {"reason", kNothingSamples}};
  return sources_.history(asked.from_ms, asked.to_ms, most_points);
}

ordered_json Performance::operations_active(const Viewer& viewer) const {
  return active_jobs(sources_.database, sources_.active, viewer);
}

ordered_json Performance::metrics(const TaskQuery& query, const Viewer& viewer) const {
  return task_list(sources_.database, query, viewer, sources_.database.now_ms());
}

ordered_json Performance::export_tasks(TaskExport format, int64_t hours, const Viewer& viewer) const {
  TaskQuery query;
  query.window_hours = hours;
  query.limit = kMostTasks;
  ordered_json records = ordered_json::array();
  for (bool more = true; more;) {
    ordered_json page = metrics(query, viewer);
    for (ordered_json& record : page["records"]) records.push_back(std::move(record));
    more = !page["next_before"].is_null();
    if (more) query.before = page["next_before"];
  }
  if (format == TaskExport::kJson) return {{"format", "json"}, {"records", std::move(records)}};
  return {{"format", "csv"}, {"rows", records.size()}, {"text", tasks_csv(records)}};
}

ordered_json Performance::benchmarks(int64_t hours) const {
  RecordQuery query = records_in(window(hours));
  query.runs_only = query.success_only = true;
  query.limit = kMostTasks;
  const std::vector<RunRecord> ended = RecordStore(sources_.database).records(query);
  const std::vector<PlannedUse> uses =
      sources_.uses == nullptr ? std::vector<PlannedUse>() : sources_.uses->uses();
  ordered_json json = {{"time_window_hours", hours}};
  json.update(snug::benchmarks(ended, uses));
  return json;
}

ordered_json Performance::status(int64_t hours, const Viewer& viewer) const {
  const TimeWindow asked = window(hours);
  const ordered_json active = operations_active(viewer);
  const WindowStatistics past = read_window_statistics(sources_.database, records_in(asked));
  TaskQuery last;
  last.window_hours = hours;
  last.limit = kLastJobs;
  ordered_json json;
  json["timestamp"] = iso_time(sources_.database.now_ms());
  ordered_json resources = status_resources(reading());
  json.update(resources);
  json["active_tasks"] = active["queue"]["running"];
  json["status"] = sources_.status_word ? sources_.status_word() : ordered_json();
  json["alerts"] = list_of(sources_.alerts);
  json["active"] = active["active"];
  json["queue"] = active["queue"];
  json["time_window_hours"] = hours;
  json["jobs"] = jobs_figures(past);
  json["jobs"].erase("per_hour");
  json["last_jobs"] = metrics(last, viewer)["records"];
  return json;
}

}  // namespace snug
