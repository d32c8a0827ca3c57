#include "monitor/records/record_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "jobs/run_record_rows.h"

namespace snug {
namespace {

// Both databases have a limit of values in one statement, of which this is well below.
constexpr size_t kIdsAtOnce = 500;

// Jobs that have not ended are behind all that have: this is no time that comes.
constexpr std::string_view kEndKey = "COALESCE(finished_ms, 9000000000000000 + created_ms)";

bool asks_time(const RecordQuery& query) { return query.from_ms.has_value() || query.to_ms.has_value(); }

// By the index of ends where all have ended.
std::string_view order_key(const RecordQuery& query) {
  return query.only_ended || query.success_only || asks_time(query) ? "finished_ms" : kEndKey;
}

void add_place(Sql& sql, const RecordQuery& query, std::string& where, std::vector<SqlValue>& values) {
  const std::string_view key = order_key(query);
  auto row = sql.row(fmt::format("SELECT {} FROM run_record WHERE id = ?", key), 1, {query.before_id});
  if (!row) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no record '{}'", query.before_id),
                "begin with the first page");
  }
  const int64_t at = row->integer();
  const char* const sense = query.newest_first ? "<" : ">";
  // The first term alone lets the index begin there.
  where += fmt::format(" AND {0} {1}= ? AND ({0} {1} ? OR id {1} ?)", key, sense);
  values.insert(values.end(), {SqlValue(at), SqlValue(at), SqlValue(query.before_id)});
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
  if (query.only_ended && !asks_time(query)) where += " AND finished_ms IS NOT NULL";
  if (query.success_only) where += " AND state = 'done'";
  if (query.runs_only) where += " AND cached = 0";
  return where;
}

std::vector<RunRecord> RecordStore::records(const RecordQuery& query) const {
  return database_.read([&](Sql& sql) {
    std::vector<SqlValue> values;
    std::string where = record_condition(query, values);
    if (!query.before_id.empty()) add_place(sql, query, where, values);
    const char* const sense = query.newest_first ? "DESC" : "ASC";
    where += fmt::format(" ORDER BY {} {}, id {}", order_key(query), sense, sense);
    if (query.limit > 0) {
      where += " LIMIT ?";
      values.emplace_back(query.limit);
    }
    std::vector<RunRecord> records = select_records(sql, where, values);
    if (query.with_detail) {
      std::vector<std::string> ids;
      ids.reserve(records.size());
      for (const RunRecord& record : records) ids.push_back(record.id);
      std::map<std::string, std::string> details = read_details(sql, ids);
      for (RunRecord& record : records) {
        const auto found = details.find(record.id);
        if (found != details.end()) record.detail = std::move(found->second);
      }
    }
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
                         "WHERE {} GROUP BY model, machine, width, height "
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
    for (SqlRow& row : sql.rows(fmt::format("SELECT id, detail FROM run_detail WHERE id IN ({})",
                                            question_marks(values.size())),
                                2, values)) {
      std::string id = row.text();
      details[std::move(id)] = row.text();
    }
  }
  return details;
}

}  // namespace snug
