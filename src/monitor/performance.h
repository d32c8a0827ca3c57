// Every page of the performance API as one function that returns its JSON. Called by the server's routes
// (src/server/native/performance_routes.cc) and by the commands status, history, report and monitor on a
// database that they open themselves: both show the same numbers because they ask here. The pages' parts are
// in monitor/pages; what is computed comes from records, samples, analysis, alerts and advice.
//
// What only the process that serves knows (the steps of running jobs, its samples) comes through
// PerformanceSources; where a source is empty its members are null, and "reasons" says why. The JSON's names
// end in their unit, but for those that older systems gave; times are RFC 3339 or, in names that end in _ms,
// milliseconds since 1970, UTC.
//
// Every function throws Error: invalid_argument for what was asked wrongly, and what Database throws.
// Threads: all may be called from any. The sources must outlive this.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "jobs/database.h"
#include "monitor/pages/active_jobs.h"
#include "monitor/pages/page_query.h"
#include "monitor/pages/resources.h"

namespace snug {

class UsePlanner;

// Of a window, an array of objects.
using WindowSource = std::function<nlohmann::ordered_json(const TimeWindow&)>;

struct PerformanceSources {
  Database& database;
  ActiveSource active = {};    // empty: by the database
  UsePlanner* uses = nullptr;  // null: benchmarks has only what was asked for
  std::function<ResourceReading()> resources = {};
  // Between two times, in at most so many points; as the page's "resource_history".
  std::function<nlohmann::ordered_json(int64_t from_ms, int64_t to_ms, int64_t most_points)> history = {};
  // {"word", "reasons"} and [{kind, level, since_ms, ...}].
  std::function<nlohmann::ordered_json()> status_word = {}, alerts = {};
  // Of the window: findings, trends; as the pages' "bottlenecks" and "trends".
  WindowSource bottlenecks = {}, trends = {};
  // The list of advice; and the execution of one, by its id: {"id", "backup", "check"}. Throws not_found.
  WindowSource advice = {};
  std::function<nlohmann::ordered_json(const std::string& id)> apply = {};
};

enum class TaskExport { kJson, kCsv };

class Performance {
 public:
  explicit Performance(PerformanceSources sources) : sources_(std::move(sources)) {}

  // Now: the machine, the queue, what is under way; and how the last hours went.
  nlohmann::ordered_json status(int64_t hours, const Viewer& viewer) const;
  nlohmann::ordered_json analysis(int64_t hours, const Viewer& viewer) const;
  nlohmann::ordered_json metrics(const TaskQuery& query, const Viewer& viewer) const;
  // By category: hardware, configuration, workflow, general.
  nlohmann::ordered_json recommendations(int64_t hours) const;
  nlohmann::ordered_json benchmarks(int64_t hours) const;
  // {"format", "records": [...]} or, as CSV, {"format", "rows", "text"}.
  nlohmann::ordered_json export_tasks(TaskExport format, int64_t hours, const Viewer& viewer) const;
  // Lists advice; with `auto_apply` the first that is an action is carried out.
  nlohmann::ordered_json optimize(int64_t hours, bool auto_apply) const;
  nlohmann::ordered_json apply_advice(const std::string& id) const;
  nlohmann::ordered_json dashboard(int64_t hours, const Viewer& viewer) const;
  // All that happened in the window, for reading: report_text.h makes pages of it.
  nlohmann::ordered_json report(int64_t hours, const Viewer& viewer) const;
  nlohmann::ordered_json resources_current() const;
  nlohmann::ordered_json resources_history(int64_t hours, int64_t most_points) const;
  nlohmann::ordered_json operations_active(const Viewer& viewer) const;

 private:
  TimeWindow window(int64_t hours) const { return time_window(hours, sources_.database.now_ms()); }
  ResourceReading reading() const;
  nlohmann::ordered_json advice_list(const TimeWindow& window) const;
  static nlohmann::ordered_json findings(const WindowSource& source, const TimeWindow& window,
                                         const Viewer& viewer);

  PerformanceSources sources_;
};

}  // namespace snug
