#include "monitor/performance.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "monitor/pages/benchmarks.h"
#include "monitor/pages/page_json.h"
#include "monitor/pages/planned_uses.h"
#include "monitor/pages/task_list.h"
#include "monitor/pages/task_records.h"
#include "monitor/pages/window_figures.h"
#include "monitor/pages/window_trends.h"
#include "monitor/records/record_store.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr const char* kNothingSamples = "nothing samples the machine here; a running service does";
// As many as a chart has room for.
constexpr int64_t kMostPlanPoints = 500, kChartPoints = 360, kLastJobs = 10, kLastDetails = 5;
constexpr std::array<std::string_view, 4> kCategories = {"hardware", "configuration", "workflow", "general"};

RecordQuery in_window(const TimeWindow& window) {
  RecordQuery query;
  query.from_ms = window.from_ms;
  query.to_ms = window.to_ms;
  return query;
}

ordered_json or_list(const std::function<ordered_json()>& source) {
  return source ? source() : ordered_json::array();
}
ordered_json or_list(const WindowSource& source, const TimeWindow& window) {
  return source ? source(window) : ordered_json::array();
}

// Ids of jobs, wherever they stand.
void hide_ids(ordered_json& json) {
  for (auto& [name, value] : json.items()) {
    if (value.is_structured()) hide_ids(value);
    if (name == "id" && value.is_string()) value = nullptr;
  }
}

// From this share of the time on a kind of finding is told as a bottleneck. Arithmetic always has a share, so
// it has to have more than all else together.
constexpr double kBindingShare = 0.1, kBindingComputeShare = 0.5;

// The share of time that findings of these kinds took; 0 when there is none.
double share_of(const ordered_json& bottlenecks, std::initializer_list<std::string_view> kinds) {
  double share = 0;
  for (const ordered_json& each : bottlenecks) {
    if (std::ranges::find(kinds, each.at("kind").get<std::string>()) != kinds.end())
      share += each.at("share").get<double>();
  }
  return share;
}

}  // namespace

ResourceReading Performance::reading() const {
  if (sources_.resources) return sources_.resources();
  return {.sample = {}, .reasons = {}, .absent = kNothingSamples};
}

ordered_json Performance::resources_current() const {
  const ResourceReading now = reading();
  ordered_json json;
  json["time"] = now.sample.has_value() ? ordered_json(page_time(now.sample->time_ms)) : ordered_json();
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
  RecordQuery query = in_window(window(hours));
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
  const WindowStatistics past = read_window_statistics(sources_.database, in_window(asked));
  TaskQuery last;
  last.window_hours = hours;
  last.limit = kLastJobs;
  ordered_json json;
  json["timestamp"] = page_time(sources_.database.now_ms());
  ordered_json resources = status_resources(reading());
  json.update(resources);
  json["active_tasks"] = active["queue"]["running"];
  json["status"] = sources_.status_word ? sources_.status_word() : ordered_json();
  json["alerts"] = or_list(sources_.alerts);
  json["active"] = active["active"];
  json["queue"] = active["queue"];
  json["time_window_hours"] = hours;
  json["jobs"] = jobs_figures(past);
  json["jobs"].erase("per_hour");
  json["last_jobs"] = metrics(last, viewer)["records"];
  return json;
}

ordered_json Performance::analysis(int64_t hours, const Viewer& viewer) const {
  const TimeWindow asked = window(hours);
  const WindowStatistics past = read_window_statistics(sources_.database, in_window(asked));
  const std::optional<Summary> generation = past.generation().summary();
  const ordered_json found = findings(sources_.bottlenecks, asked, viewer);
  const bool is_known = sources_.bottlenecks && past.counts().runs() > 0;
  const auto binds = [&](std::initializer_list<std::string_view> kinds) {
    return is_known ? ordered_json(share_of(found, kinds) >= kBindingShare) : ordered_json();
  };
  const auto computes = [&]() -> ordered_json {
    if (!is_known) return {};
    return share_of(found, {"compute"}) >= kBindingComputeShare ||
           share_of(found, {"throttling", "other_programs"}) >= kBindingShare;
  };
  ordered_json advised = ordered_json::array();
  for (const ordered_json& item : advice_list(asked)) advised.push_back(item.at("title"));
  for (const ordered_json& item : found) {
    if (item.at("recommendation").is_string() && !item.at("recommendation").get<std::string>().empty())
      advised.push_back(item.at("recommendation"));
  }
  return {{"time_window_hours", hours},
          {"average_generation_time", generation ? ordered_json(generation->mean) : ordered_json()},
          {"success_rate", or_null(past.counts().success_rate())},
          {"resource_efficiency", resource_efficiency(sources_.database, asked)},
          {"bottleneck_analysis",
           {// No run has been on a GPU.
            {"vram_bottleneck", nullptr},
            {"ram_bottleneck", binds({"memory_pressure"})},
            {"cpu_bottleneck", computes()},
            {"model_load_bottleneck", binds({"load", "disk"})},
            {"details", found}}},
          {"optimization_recommendations", std::move(advised)},
          {"performance_trends", performance_trends(sources_.database, asked, past)}};
}

// What was found is for everybody; in which jobs, for who may name all of them.
ordered_json Performance::findings(const WindowSource& source, const TimeWindow& asked,
                                   const Viewer& viewer) {
  ordered_json list = or_list(source, asked);
  if (!viewer.owner.empty()) hide_ids(list);
  return list;
}

ordered_json Performance::advice_list(const TimeWindow& asked) const {
  return sources_.advice ? sources_.advice(asked) : ordered_json::array();
}

ordered_json Performance::recommendations(int64_t hours) const {
  const TimeWindow asked = window(hours);
  ordered_json json = {{"time_window_hours", hours}};
  for (const std::string_view category : kCategories) json[std::string(category)] = ordered_json::array();
  for (ordered_json& item : advice_list(asked)) {
    const std::string category = item.value("category", "general");
    json[json.contains(category) ? category : "general"].push_back(std::move(item));
  }
  return json;
}

ordered_json Performance::apply_advice(const std::string& id) const {
  if (!sources_.apply) {
    throw Error(ErrorCode::kUnsupported, "this process does not change its configuration",
                "use `snug advise --apply`");
  }
  return {{"applied", sources_.apply(id)}};
}

ordered_json Performance::optimize(int64_t hours, bool auto_apply) const {
  ordered_json advice = advice_list(window(hours)), applied;
  if (auto_apply) {
    const auto first = std::ranges::find_if(advice, [](const ordered_json& item) {
      // What was carried out before has shown what it does; a person may say to do it again.
      return !item.at("action").is_null() && item.at("applied").is_null();
    });
    // Where there is nothing to do, nothing was done.
    if (first != advice.end()) applied = apply_advice(first->at("id").get<std::string>())["applied"];
  }
  return {{"advice", std::move(advice)}, {"applied", std::move(applied)}};
}

ordered_json Performance::dashboard(int64_t hours, const Viewer& viewer) const {
  const TimeWindow asked = window(hours);
  const WindowStatistics past = read_window_statistics(sources_.database, in_window(asked));
  RecordQuery newest = in_window(asked);
  newest.limit = kMostPlanPoints;
  newest.success_only = newest.runs_only = true;
  const RecordStore records(sources_.database);
  const std::vector<RunRecord> runs = records.records(newest);
  newest.limit = kLastDetails;
  newest.with_detail = true;
  const std::vector<RunRecord> detailed = records.records(newest);
  const ordered_json active = operations_active(viewer);
  ordered_json json;
  json["time"] = page_time(sources_.database.now_ms());
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
  json["alerts"] = or_list(sources_.alerts);
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
