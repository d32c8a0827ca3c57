#include "monitor/advice/past_jobs.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "jobs/run_record_rows.h"
#include "pipeline/request_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

struct JobRow {
  std::string request, address;
};

std::map<std::string, JobRow> job_rows(Sql& sql, int64_t from_ms, int64_t to_ms) {
  std::map<std::string, JobRow> rows;
  for (SqlRow& row : sql.rows("SELECT id, request, address FROM job WHERE created_ms >= ? AND created_ms < ?",
                              3, {from_ms, to_ms})) {
    std::string id = row.text();
    JobRow& own = rows[std::move(id)];
    own.request = row.text();
    own.address = row.text();
  }
  return rows;
}

void add_details(Sql& sql, std::vector<RunRecord>& records) {
  for (RunRecord& record : records) {
    if (auto row = sql.row("SELECT detail FROM run_detail WHERE id = ?", 1, {record.id}))
      record.detail = row->text();
  }
}

// Of the same length; the same text for all, as nothing is known of what they shared.
std::string made_up_prompt(int64_t characters) {
  std::string text;
  while (static_cast<int64_t>(text.size()) < characters) text += "a hill by the sea, ";
  text.resize(static_cast<size_t>(std::max<int64_t>(characters, 0)));
  return text;
}

RequestFields fields_of(const RunRecord& record) {
  RequestFields fields;
  fields.model = record.model;
  fields.prompt = made_up_prompt(record.prompt_length);
  fields.width = record.width;
  fields.height = record.height;
  fields.steps = record.steps;
  fields.sampler = record.sampler;
  fields.guidance_scale = record.guidance_scale;
  fields.batch = record.pictures;
  fields.seed = 0;
  return fields;
}

RequestFields fields_of(const JobRow& row) {
  return request_from_json(ordered_json::parse(row.request),
                           [](const std::string&) { return std::shared_ptr<const ByteSource>(); });
}

void leave_defaults_open(RequestFields& fields, const Configuration& configuration) {
  if (configuration.default_steps > 0 && fields.steps == configuration.default_steps) fields.steps.reset();
  if (!configuration.default_sampler.empty() && fields.sampler == configuration.default_sampler)
    fields.sampler.reset();
}

PastJob past_job(RunRecord record, const std::map<std::string, JobRow>& rows,
                 const Configuration& configuration) {
  PastJob job;
  const auto row = rows.find(record.id);
  if (row != rows.end()) {
    job.fields = fields_of(row->second);
    job.is_whole = true;
    job.content = row->second.address;
    job.prompt = job.fields.prompt + '\n' + job.fields.negative_prompt.value_or("");
  } else {
    job.fields = fields_of(record);
    job.content = job.prompt = record.id;
  }
  leave_defaults_open(job.fields, configuration);
  job.record = std::move(record);
  return job;
}

int64_t ended_ms(const PastJob& job) { return job.record.finished_ms.value_or(job.record.created_ms); }

void place_in_time(std::vector<PastJob>& jobs) {
  if (jobs.empty()) return;
  const int64_t begin_ms = jobs.front().record.created_ms;
  int64_t busy_until_ms = begin_ms;
  int period = 0;
  for (PastJob& job : jobs) {
    if (job.record.created_ms > busy_until_ms) ++period;
    job.period = period;
    busy_until_ms = std::max(busy_until_ms, ended_ms(job));
    job.arrival_seconds = static_cast<double>(job.record.created_ms - begin_ms) / 1e3;
  }
}

}  // namespace

PastJobs past_jobs(Database& database, int64_t from_ms, int64_t to_ms, int most,
                   const Configuration& configuration) {
  PastJobs past;
  database.read([&](Sql& sql) {
    const auto of_window = [&](std::string_view what) {
      return fmt::format("created_ms >= ? AND created_ms < ? AND state IN ('done', 'failed') AND {}", what);
    };
    std::vector<RunRecord> records = select_records(
        sql, of_window("kind = 'text_to_image'") + " ORDER BY created_ms DESC, id DESC LIMIT ?",
        {from_ms, to_ms, int64_t{most}});
    const int64_t all =
        sql.integer("SELECT COUNT(*) FROM run_record WHERE " + of_window("1 = 1"), {from_ms, to_ms});
    past.left_out = static_cast<int>(all - static_cast<int64_t>(records.size()));
    add_details(sql, records);
    const std::map<std::string, JobRow> rows = job_rows(sql, from_ms, to_ms);
    std::reverse(records.begin(), records.end());
    for (RunRecord& record : records) past.jobs.push_back(past_job(std::move(record), rows, configuration));
  });
  place_in_time(past.jobs);
  return past;
}

std::vector<PastJob> without_idle_time(std::vector<PastJob> jobs) {
  if (jobs.empty()) return jobs;
  const int64_t first_ms = jobs.front().record.created_ms;
  int64_t period_begin_ms = first_ms, busy_until_ms = first_ms;
  double begin_seconds = 0;
  int period = jobs.front().period;
  for (PastJob& job : jobs) {
    if (job.period != period) {
      begin_seconds += static_cast<double>(busy_until_ms - period_begin_ms) / 1e3;
      period_begin_ms = busy_until_ms = job.record.created_ms;
      period = job.period;
    }
    busy_until_ms = std::max(busy_until_ms, ended_ms(job));
    job.arrival_seconds = begin_seconds + static_cast<double>(job.record.created_ms - period_begin_ms) / 1e3;
  }
  return jobs;
}

std::vector<PastJob> newest_within(const std::vector<PastJob>& jobs, double most_seconds) {
  double seconds = 0;
  size_t begin = jobs.size();
  while (begin > 0) {
    const RunRecord& record = jobs[begin - 1].record;
    // A run that several jobs shared is in each of their records.
    const double share = static_cast<double>(record.pictures) /
                         static_cast<double>(std::max<int64_t>(record.pictures, record.batch.value_or(1)));
    const double own = (record.total_seconds.value_or(0) - record.queue_seconds.value_or(0)) * share;
    if (begin < jobs.size() && seconds + own > most_seconds) break;
    seconds += own;
    --begin;
  }
  // A whole number of periods, where that leaves any.
  size_t whole = begin;
  if (begin > 0) {
    while (whole < jobs.size() && jobs[whole].period == jobs[begin - 1].period) ++whole;
  }
  const size_t from = whole < jobs.size() ? whole : begin;
  return {jobs.begin() + static_cast<std::ptrdiff_t>(from), jobs.end()};
}

}  // namespace snug
