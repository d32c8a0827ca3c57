#include "monitor/records/record_store.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "jobs/run_record_rows.h"

namespace snug {
namespace {

// Both databases have a limit of values in one statement, of which this is well below.
constexpr size_t kIdsAtOnce = 500;

// Jobs that have ended are in the order of that, the others behind them in the order in which they came: two
// ranges, each by an index of its own.
struct Range {
  std::string_view condition, key;
};
constexpr Range kEnded = {"finished_ms IS NOT NULL", "finished_ms"};
constexpr Range kNotEnded = {"finished_ms IS NULL", "created_ms"};

std::vector<Range> ranges_of(const RecordQuery& query) {
  if (query.only_ended || query.success_only || query.from_ms || query.to_ms) return {kEnded};
  if (!query.state.empty()) {
    const bool has_ended = query.state == "done" || query.state == "failed" || query.state == "cancelled";
    return {has_ended ? kEnded : kNotEnded};
  }
  if (query.newest_first) return {kNotEnded, kEnded};
  return {kEnded, kNotEnded};
}

// Where the page before ended.
struct Place {
  bool has_ended = false;
  int64_t at_ms = 0;
};

Place place_of(Sql& sql, const std::string& id) {
  auto row = sql.row("SELECT finished_ms, created_ms FROM run_record WHERE id = ?", 2, {id});
  if (!row) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no record '{}'", id),
                "begin with the first page");
  }
  const std::optional<int64_t> finished_ms = row->maybe_integer();
  return {finished_ms.has_value(), finished_ms.value_or(row->integer())};
}

// The records of one range, from the place on. Which they are is found by the index alone: sorting whole
// rows, of which a page is a small part, would take ten times as long.
std::vector<RunRecord> range_records(Sql& sql, const RecordQuery& query, const Range& range,
                                     const std::optional<Place>& place, int64_t limit) {
  std::vector<SqlValue> values;
  std::string where = fmt::format("{} AND {}", record_condition(query, values), range.condition);
  if (place) {
    // The first term alone lets the index begin there.
    where +=
        fmt::format(" AND {0} {1}= ? AND ({0} {1} ? OR id {1} ?)", range.key, query.newest_first ? "<" : ">");
    values.insert(values.end(), {SqlValue(place->at_ms), SqlValue(place->at_ms), SqlValue(query.before_id)});
  }
  const std::string order =
      fmt::format("ORDER BY {0} {1}, id {1}", range.key, query.newest_first ? "DESC" : "ASC");
  if (limit > 0) {
    where = fmt::format("id IN (SELECT id FROM run_record WHERE {} {} LIMIT ?)", where, order);
    values.emplace_back(limit);
  }
  return select_records(sql, where + " " + order, values);
}

void add_details(Sql& sql, std::vector<RunRecord>& records) {
  std::vector<std::string> ids;
  ids.reserve(records.size());
  for (const RunRecord& record : records) ids.push_back(record.id);
  std::map<std::string, std::string> details = read_details(sql, ids);
  for (RunRecord& record : records) {
    const auto found = details.find(record.id);
    if (found != details.end()) record.detail = std::move(found->second);
  }
}

}  // namespace

std::string record_condition(const RecordQuery& query, std::vector<SqlValue>& values) {
  std::string where = "1 = 1";
  const auto equal = [&](const char* column, const std::string& text) {
    if (text.empty()) return;
    where += fmt::format(" AND {} = ?", column);
    values.emplace_back(text);
  };
  const auto compare = [&](const char* comparison, int64_t number) {
    where += fmt::format(" AND {} ?", comparison);
    values.emplace_back(number);
  };
  equal("owner", query.owner);
  equal("model", query.model);
  equal("architecture", query.architecture);
  equal("kind", query.kind);
  equal("sampler", query.sampler);
  equal("machine", query.machine);
  equal("state", query.state);
  if (query.width > 0) compare("width =", query.width);
  if (query.height > 0) compare("height =", query.height);
  if (query.from_ms) compare("finished_ms >=", *query.from_ms);
  if (query.to_ms) compare("finished_ms <", *query.to_ms);
  if (query.only_ended && !query.from_ms && !query.to_ms) where += " AND finished_ms IS NOT NULL";
  if (query.success_only) where += " AND state = 'done'";
  if (query.runs_only) where += " AND cached = 0";
  return where;
}

std::vector<RunRecord> RecordStore::records(const RecordQuery& query) const {
  return database_.read([&](Sql& sql) {
    std::optional<Place> place;
    if (!query.before_id.empty()) place = place_of(sql, query.before_id);
    std::vector<RunRecord> records;
    for (const Range& range : ranges_of(query)) {
      if (place && place->has_ended != (range.key == kEnded.key)) continue;  // it lies in a later range
      const int64_t limit = query.limit > 0 ? query.limit - static_cast<int64_t>(records.size()) : 0;
      if (query.limit > 0 && limit <= 0) break;
      std::vector<RunRecord> found = range_records(sql, query, range, place, limit);
      place.reset();  // the ranges behind it are wanted from their beginning
      std::move(found.begin(), found.end(), std::back_inserter(records));
    }
    if (query.with_detail) add_details(sql, records);
    return records;
  });
}

std::optional<RunRecord> RecordStore::find(const std::string& id) const {
  return database_.read([&](Sql& sql) { return find_record(sql, id); });
}

int64_t RecordStore::count(const RecordQuery& query) const {
  return database_.read([&](Sql& sql) {
    std::vector<SqlValue> values;
    const std::string where = record_condition(query, values);
    return sql.integer(fmt::format("SELECT COUNT(*) FROM run_record WHERE {}", where), values);
  });
}

std::vector<RecordGroup> RecordStore::groups(const RecordQuery& query) const {
  return database_.read([&](Sql& sql) {
    std::vector<SqlValue> values;
    const std::string where = record_condition(query, values);
    std::vector<RecordGroup> groups;
    for (SqlRow& row : sql.rows(
             fmt::format("SELECT model, machine, width, height, COUNT(*), MAX(finished_ms) FROM run_record "
                         "WHERE {} GROUP BY model, width, height, machine "
                         "ORDER BY COUNT(*) DESC, model, machine, width, height",
                         where),
             6, values)) {
      RecordGroup& group = groups.emplace_back();
      group.model = row.text();
      group.machine = row.text();
      group.width = row.integer();
      group.height = row.integer();
      group.records = row.integer();
      group.last_end_ms = row.integer();
    }
    return groups;
  });
}

std::map<std::string, std::string> read_details(Sql& sql, const std::vector<std::string>& ids) {
  std::map<std::string, std::string> details;
  for (size_t begin = 0; begin < ids.size(); begin += kIdsAtOnce) {
    const size_t end = std::min(ids.size(), begin + kIdsAtOnce);
    const std::vector<SqlValue> values(ids.begin() + static_cast<ptrdiff_t>(begin),
                                       ids.begin() + static_cast<ptrdiff_t>(end));
    for (SqlRow& row : sql.rows(
             fmt::format("SELECT id, detail FROM run_detail WHERE id IN ({})", question_marks(values.size())),
             2, values)) {
      std::string id = row.text();
      details[std::move(id)] = row.text();
    }
  }
  return details;
}

}  // namespace snug
