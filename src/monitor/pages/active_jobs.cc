#include "monitor/pages/active_jobs.h"

#include <map>
#include <string>

#include <fmt/format.h>

#include "jobs/job_store.h"
#include "jobs/run_record_rows.h"
#include "monitor/pages/page_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int kMostShown = 100;

std::vector<Job> by_store(const std::function<std::vector<Job>(const JobQuery&)>& list) {
  std::vector<Job> jobs;
  for (const JobState state : {JobState::kRunning, JobState::kPlanned}) {
    for (Job& job : list({.owner = {}, .state = state, .search = {}, .before = {}, .limit = kMostShown}))
      jobs.push_back(std::move(job));
  }
  return jobs;
}

// Predicted. The run itself knows best, by the steps that it has measured; else by the plan.
std::optional<double> seconds_left(const Job& job) {
  if (job.seconds_left.has_value()) return job.seconds_left;
  if (!job.planned_seconds.has_value()) return std::nullopt;
  const double left = job.steps > 0 ? 1 - static_cast<double>(job.step) / job.steps : 1;
  return *job.planned_seconds * left;
}

// Before its first step a job may read, plan or encode, after the last decode or write: that is not told.
ordered_json stage_of(const Job& job) {
  const bool denoises = job.state == JobState::kRunning && job.step > 0 && job.step < job.steps;
  return denoises ? ordered_json("denoise") : ordered_json();
}

ordered_json active_json(const Job& job, const RunRecord* record) {
  ordered_json json;
  json["id"] = job.id;
  json["model"] = record == nullptr ? ordered_json() : or_null(record->model);
  json["width"] = record == nullptr ? ordered_json() : ordered_json(record->width);
  json["height"] = record == nullptr ? ordered_json() : ordered_json(record->height);
  json["step"] = job.step;
  json["steps"] = job.steps;
  json["state"] = job_state_name(job.state);
  json["stage"] = stage_of(job);
  json["seconds_left"] = or_null(seconds_left(job));
  json["planned_peak_bytes"] = or_null(job.planned_peak_bytes);
  json["started_ms"] = or_null(job.started_ms);
  return json;
}

// By id; jobs that are older than records have none.
std::map<std::string, RunRecord> records_of(Database& database, const std::vector<Job>& jobs) {
  if (jobs.empty()) return {};
  std::vector<SqlValue> ids;
  for (const Job& job : jobs) ids.emplace_back(job.id);
  std::map<std::string, RunRecord> records;
  database.read([&](Sql& sql) {
    for (RunRecord& record :
         select_records(sql, fmt::format("id IN ({})", question_marks(ids.size())), ids)) {
      std::string id = record.id;
      records.emplace(std::move(id), std::move(record));
    }
  });
  return records;
}

}  // namespace

ActiveSource active_source(Service& service) {
  return {.jobs = [&service] { return by_store([&](const JobQuery& query) { return service.jobs(query); }); },
          .queue = [&service] { return service.queue_figures(); }};
}

ordered_json active_jobs(Database& database, const ActiveSource& source, const Viewer& viewer) {
  JobStore store(database);
  std::vector<Job> jobs =
      source.jobs ? source.jobs() : by_store([&](const JobQuery& query) { return store.list(query); });
  std::erase_if(jobs, [&](const Job& job) { return !viewer.may_name(job.owner); });
  const QueueFigures queue = source.queue ? source.queue() : store.queue_figures(0);
  const std::map<std::string, RunRecord> records = records_of(database, jobs);
  ordered_json active = ordered_json::array();
  for (const Job& job : jobs) {
    const auto record = records.find(job.id);
    active.push_back(active_json(job, record == records.end() ? nullptr : &record->second));
  }
  return {{"active", std::move(active)},
          {"queue",
           {{"queued", queue.queued},
            {"planned", queue.planned},
            {"running", queue.running},
            {"wait_seconds", or_null(queue.wait_seconds)}}}};
}

}  // namespace snug
