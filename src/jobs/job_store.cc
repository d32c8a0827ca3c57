// Adding, looking up and counting jobs. Their way through the states is in job_changes.cc, the order in which
// they come in job_queue.cc.
#include "jobs/job_store.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "jobs/accounts.h"
#include "jobs/job_rows.h"
#include "jobs/run_record_rows.h"
#include "jobs/secret.h"

namespace snug {
namespace {

constexpr int kMostListed = 500;
constexpr size_t kMostSearchWords = 16;

std::optional<Job> find_by_key(Sql& sql, const Job& job) {
  if (job.idempotency_key.empty()) return std::nullopt;
  std::vector<Job> found =
      select_jobs(sql, "owner = ? AND idempotency_key = ?", {job.owner, job.idempotency_key});
  if (found.empty()) return std::nullopt;
  if (found.front().request_digest != job.request_digest) {
    throw Error(ErrorCode::kConflict, "the idempotency key belongs to another request",
                "give each request a key of its own");
  }
  return std::move(found.front());
}

void check_queue(Sql& sql, int64_t most_queued) {
  const int64_t queued = sql.integer("SELECT COUNT(*) FROM job WHERE state = 'queued'");
  if (queued < most_queued) return;
  throw Error(ErrorCode::kQueueFull, fmt::format("{} jobs wait, and no more may", queued), "try again later");
}

// For LIKE with ESCAPE '!': anything, the word, anything.
std::string pattern_of(std::string_view word) {
  std::string pattern = "%";
  for (const char letter : word) {
    if (letter == '%' || letter == '_' || letter == '!') pattern += '!';
    pattern += letter;
  }
  return pattern + "%";
}

}  // namespace

AddedJob JobStore::add(const NewJob& added, int64_t most_queued) {
  SNUG_CHECK(added.job.state == JobState::kQueued || added.job.state == JobState::kDone,
             "a new job waits, or was done before");
  return database_.write([&](Sql& sql) {
    if (std::optional<Job> there = find_by_key(sql, added.job)) return AddedJob{*std::move(there), true};
    Job job = added.job;
    const bool done = job.state == JobState::kDone;
    const int64_t now_ms = database_.now_ms();
    if (!done) check_queue(sql, most_queued);
    check_quotas(sql, job, now_ms);
    job.id = new_id(now_ms);
    job.created_ms = now_ms;
    if (done) job.finished_ms = now_ms;
    insert_job(sql, job, searchable(added.prompt));
    RunRecord record = added.record;
    record.id = job.id;
    record.owner = job.owner;
    record.api = job.api;
    record.state = job_state_name(job.state);
    record.created_ms = now_ms;
    record.pictures = job.pictures_asked;
    record.cached = done;
    insert_record(sql, record);
    for (const std::string& blob : added.inputs) {
      sql.run("INSERT INTO job_input (job, blob) VALUES (?, ?) ON CONFLICT (job, blob) DO NOTHING",
              {job.id, blob});
    }
    if (done) {
      record_end(sql, job, JobState::kDone, record, now_ms);
      int64_t bytes = 0;
      for (const JobPicture& picture : job.pictures) bytes += picture.bytes;
      charge(sql, job.owner, static_cast<int64_t>(job.pictures.size()), 0, bytes, now_ms);
    }
    return AddedJob{std::move(job), false};
  });
}

Job JobStore::get(const std::string& id) {
  Job job = database_.read([&](Sql& sql) { return require_job(sql, id); });
  overlay_progress(&job);
  return job;
}

std::vector<Job> JobStore::list(const JobQuery& query) {
  std::string where = "1 = 1";
  std::vector<SqlValue> values;
  const auto add = [&](std::string_view condition, SqlValue value) {
    where += fmt::format(" AND {}", condition);
    values.push_back(std::move(value));
  };
  if (!query.owner.empty()) add("owner = ?", query.owner);
  if (query.state) add("state = ?", std::string(job_state_name(*query.state)));
  if (!query.before.empty()) add("id < ?", query.before);
  std::istringstream words(searchable(query.search));
  std::string word;
  for (size_t i = 0; i < kMostSearchWords && words >> word; ++i) {
    add("prompt LIKE ? ESCAPE '!'", pattern_of(word));
  }
  where += " ORDER BY id DESC LIMIT ?";
  values.emplace_back(int64_t{std::clamp(query.limit, 1, kMostListed)});
  std::vector<Job> jobs = database_.read([&](Sql& sql) { return select_jobs(sql, where, values); });
  for (Job& job : jobs) overlay_progress(&job);
  return jobs;
}

std::map<JobState, int64_t> JobStore::counts() {
  return database_.read([](Sql& sql) {
    std::map<JobState, int64_t> found;
    for (SqlRow& row : sql.rows("SELECT state, COUNT(*) FROM job GROUP BY state", 2)) {
      const std::optional<JobState> state = job_state_named(row.text());
      if (state) found[*state] = row.integer();
    }
    return found;
  });
}

int64_t JobStore::forget_ended(int64_t before_ms, int64_t most) {
  return database_.write([&](Sql& sql) {
    return sql.run(
        "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state IN ('done', 'failed', 'cancelled') "
        "AND finished_ms < ? ORDER BY id LIMIT ?)",
        {before_ms, most});
  });
}

void JobStore::overlay_progress(Job* job) {
  if (job->state != JobState::kRunning) return;
  const std::lock_guard lock(mutex_);
  const auto found = progress_.find(job->id);
  if (found == progress_.end()) return;
  job->step = std::max(job->step, found->second.step);
  job->stage = found->second.stage;
  job->frame = found->second.frame;
  job->frames = found->second.frames;
}

void JobStore::drop_progress(const std::string& id) {
  const std::lock_guard lock(mutex_);
  progress_.erase(id);
}

}  // namespace snug
