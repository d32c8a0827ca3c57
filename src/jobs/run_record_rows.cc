#include "jobs/run_record_rows.h"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>

namespace snug {
namespace {

std::string column_names() {
  std::string names;
  for (const RecordColumn& column : record_columns()) {
    if (!names.empty()) names += ", ";
    names += column.name;
  }
  return names;
}

SqlValue value_of(const std::string& text) { return text; }
SqlValue value_of(int64_t number) { return number; }
SqlValue value_of(bool truth) { return int64_t{truth}; }
SqlValue value_of(double number) { return number; }
SqlValue value_of(const std::optional<int64_t>& number) { return sql_value(number); }
SqlValue value_of(const std::optional<double>& number) { return sql_value(number); }

std::vector<SqlValue> values_of(const RunRecord& record) {
  std::vector<SqlValue> values;
  values.reserve(record_columns().size() + 1);
  for (const RecordColumn& column : record_columns()) {
    values.push_back(std::visit([&](auto member) { return value_of(record.*member); }, column.member));
  }
  return values;
}

template <class T>
void read(SqlRow& row, T& place) {
  if constexpr (std::is_same_v<T, std::string>) {
    place = row.text();
  } else if constexpr (std::is_same_v<T, int64_t>) {
    place = row.integer();
  } else if constexpr (std::is_same_v<T, bool>) {
    place = row.truth();
  } else if constexpr (std::is_same_v<T, double>) {
    place = row.real();
  } else if constexpr (std::is_same_v<T, std::optional<int64_t>>) {
    place = row.maybe_integer();
  } else {
    place = row.maybe_real();
  }
}

void put_detail(Sql& sql, const RunRecord& record) {
  if (record.detail.empty()) return;
  sql.run("INSERT INTO run_detail (id, detail) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET detail = ?",
          {record.id, record.detail, record.detail});
}

// What the run knows takes the place of what is there; the rest stays.
void take_over(RunRecord& record, const RunRecord& run) {
  for (const RecordColumn& column : record_columns()) {
    std::visit(
        [&](auto member) {
          using T = std::remove_cvref_t<decltype(run.*member)>;
          if constexpr (std::is_same_v<T, std::optional<int64_t>> || std::is_same_v<T, std::optional<double>>)
            if ((run.*member).has_value()) record.*member = run.*member;
        },
        column.member);
  }
  record.cached = run.cached;
  record.kept = run.kept;
  record.detail = run.detail;
  if (!run.backend.empty()) record.backend = run.backend;
  // A budget may have changed it, with the user's leave.
  if (!run.precision.empty()) record.precision = run.precision;
  if (run.width > 0) record.width = run.width;
  if (run.height > 0) record.height = run.height;
}

double stages_seconds(const RunRecord& r) {
  double sum = 0;
  for (const auto& part : {r.plan_seconds, r.load_seconds, r.encode_seconds, r.denoise_seconds,
                           r.decode_seconds, r.write_seconds, r.keep_seconds, r.turn_wait_seconds})
    sum += part.value_or(0);
  return sum;
}

double seconds_between(int64_t from_ms, int64_t to_ms) {
  return static_cast<double>(std::max<int64_t>(0, to_ms - from_ms)) / 1000;
}

}  // namespace

void insert_record(Sql& sql, const RunRecord& record) {
  sql.run(fmt::format("INSERT INTO run_record ({}) VALUES ({})", column_names(),
                      question_marks(record_columns().size())),
          values_of(record));
  put_detail(sql, record);
}

void update_record(Sql& sql, const RunRecord& record) {
  std::string sets;
  for (const RecordColumn& column : record_columns()) {
    sets += fmt::format("{}{} = ?", sets.empty() ? "" : ", ", column.name);
  }
  std::vector<SqlValue> values = values_of(record);
  values.emplace_back(record.id);
  sql.run(fmt::format("UPDATE run_record SET {} WHERE id = ?", sets), values);
  put_detail(sql, record);
}

std::vector<RunRecord> select_records(Sql& sql, std::string_view where, const std::vector<SqlValue>& values) {
  std::vector<RunRecord> records;
  for (SqlRow& row : sql.rows(fmt::format("SELECT {} FROM run_record WHERE {}", column_names(), where),
                              static_cast<int>(record_columns().size()), values)) {
    RunRecord& record = records.emplace_back();
    for (const RecordColumn& column : record_columns()) {
      std::visit([&](auto member) { read(row, record.*member); }, column.member);
    }
  }
  return records;
}

std::optional<RunRecord> find_record(Sql& sql, const std::string& id) {
  std::vector<RunRecord> records = select_records(sql, "id = ?", {id});
  if (records.empty()) return std::nullopt;
  RunRecord& record = records.front();
  if (auto row = sql.row("SELECT detail FROM run_detail WHERE id = ?", 1, {id})) record.detail = row->text();
  return std::move(record);
}

void record_end(Sql& sql, const Job& job, JobState state, const RunRecord& run, int64_t now_ms) {
  std::vector<RunRecord> found = select_records(sql, "id = ?", {job.id});
  if (found.empty()) return;
  RunRecord& record = found.front();
  take_over(record, run);
  record.state = job_state_name(state);
  record.started_ms = job.started_ms;
  record.finished_ms = now_ms;
  record.attempts = job.attempts;
  // What the store knows of a job's steps is up to a second old; one that is done has made them all.
  if (!record.steps_done && !record.cached)
    record.steps_done = state == JobState::kDone ? record.steps : int64_t{job.step};
  record.total_seconds = seconds_between(job.created_ms, now_ms);
  record.earlier_seconds = job.earlier_seconds;
  const double before = seconds_between(job.created_ms, job.begun_ms.value_or(now_ms));
  record.queue_seconds = std::max(0.0, before - job.earlier_seconds);
  if (job.begun_ms && state != JobState::kDone)
    record.unfinished_seconds =
        std::max(0.0, seconds_between(*job.begun_ms, now_ms) - stages_seconds(record));
  if (job.failure && state == JobState::kFailed) {
    record.error_code = job.failure->code;
    record.error_stage = job.failure->stage;
    record.error_problem = job.failure->problem;
    record.error_fix = job.failure->fix;
  }
  update_record(sql, record);
}

}  // namespace snug
