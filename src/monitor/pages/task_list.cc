#include "monitor/pages/task_list.h"

#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "jobs/run_record_rows.h"
#include "monitor/pages/page_json.h"
#include "monitor/pages/task_records.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// What follows WHERE, with its values.
struct Condition {
  std::string text;
  std::vector<SqlValue> values;
  void add(std::string_view more, std::vector<SqlValue> of) {
    text += fmt::format("{}{}", text.empty() ? "" : " AND ", more);
    for (SqlValue& value : of) values.push_back(std::move(value));
  }
};

Condition condition_of(const TaskQuery& query, const Viewer& viewer, int64_t now_ms) {
  const TimeWindow window = time_window(query.window_hours, now_ms);
  Condition condition;
  condition.add("finished_ms >= ? AND finished_ms < ?", {window.from_ms, window.to_ms});
  if (!viewer.owner.empty()) condition.add("owner = ?", {viewer.owner});
  if (!query.model_type.empty())
    condition.add("(architecture = ? OR model = ?)", {query.model_type, query.model_type});
  if (!query.resolution.empty()) {
    const AskedSize size = parse_asked_size(query.resolution);
    condition.add("width = ? AND height = ?", {size.width, size.height});
  }
  if (query.success_only) condition.add("state = 'done'", {});
  return condition;
}

}  // namespace

ordered_json task_list(Database& database, const TaskQuery& query, const Viewer& viewer, int64_t now_ms) {
  if (query.limit < 1 || query.limit > kMostTasks) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} records are not given at once", query.limit),
                fmt::format("ask for 1 to {}", kMostTasks));
  }
  Condition condition = condition_of(query, viewer, now_ms);
  int64_t total = 0;
  std::vector<RunRecord> records;
  database.read([&](Sql& sql) {
    total = sql.integer(fmt::format("SELECT COUNT(*) FROM run_record WHERE {}", condition.text),
                        condition.values);
    // Ids are in the order in which jobs came, and name a place in the list that stays.
    if (!query.before.empty()) condition.add("id < ?", {query.before});
    condition.values.emplace_back(query.limit + 1);
    records = select_records(sql, condition.text + " ORDER BY id DESC LIMIT ?", condition.values);
  });
  const bool more = records.size() > static_cast<size_t>(query.limit);
  if (more) records.pop_back();
  ordered_json list = ordered_json::array();
  for (const RunRecord& record : records) list.push_back(task_json(record));
  return {{"time_window_hours", query.window_hours},
          {"total", total},
          {"records", std::move(list)},
          {"next_before", more ? ordered_json(records.back().id) : ordered_json()}};
}

}  // namespace snug
