// The way of a job through its states, from its reservation to its end: the part of JobStore that its
// scheduler and its engine call.
#include <algorithm>
#include <initializer_list>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "jobs/accounts.h"
#include "jobs/blobs_in_use.h"
#include "jobs/job_rows.h"
#include "jobs/job_store.h"
#include "jobs/run_record_rows.h"

namespace snug {
namespace {

constexpr int64_t kProgressEveryMs = 1000;

// Runs work(sql, job) when the job is in one of the states `from`. The job as it is then.
template <typename Work>
std::optional<Job> change(Database& database, const std::string& id, std::initializer_list<JobState> from,
                          const Work& work) {
  return database.write([&](Sql& sql) -> std::optional<Job> {
    const Job job = require_job(sql, id);
    if (std::find(from.begin(), from.end(), job.state) == from.end()) return std::nullopt;
    work(sql, job);
    return require_job(sql, id);
  });
}

// What a job held while it was planned or running is given back: its bytes, and its predicted use, in place
// of which the measured one is counted.
void settle(Sql& sql, const Job& job, double seconds, int64_t now_ms) {
  std::optional<SqlRow> row = sql.row("SELECT use_seconds FROM job WHERE id = ?", 1, {job.id});
  add_use(sql, job.owner, seconds - (row ? row->real() : 0), now_ms);
  sql.run("UPDATE job SET reserved_bytes = 0, use_seconds = 0 WHERE id = ?", {job.id});
}

void charge_work(Sql& sql, const Job& job, double seconds, int64_t now_ms) {
  SNUG_CHECK(seconds >= 0, "time is not negative");
  if (seconds > 0) charge(sql, job.owner, 0, seconds, 0, now_ms);
}

void end(Sql& sql, const Job& job, JobState state, double seconds, int64_t now_ms,
         const RunRecord& run = {}) {
  settle(sql, job, seconds, now_ms);
  record_end(sql, job, state, run, now_ms);
  sql.run(
      "UPDATE job SET state = ?, finished_ms = ?, not_before_ms = NULL, checkpoint = '', checkpoint_step = 0 "
      "WHERE id = ?",
      {std::string(job_state_name(state)), now_ms, job.id});
}

void note_failure(Sql& sql, const Job& job, const JobFailure& failure) {
  SNUG_CHECK(!failure.code.empty(), "a failure has a code");
  sql.run("UPDATE job SET error_code = ?, error = ? WHERE id = ?",
          {failure.code, failure_json(failure), job.id});
}

// Progress goes back to the checkpoint, where it will go on. A job that was to be cancelled needs no more
// turn.
void queue_again(Sql& sql, const Job& job, double seconds, std::optional<int64_t> not_before_ms,
                 int64_t now_ms) {
  if (job.cancel_requested) {
    end(sql, job, JobState::kCancelled, seconds, now_ms);
    return;
  }
  settle(sql, job, seconds, now_ms);
  const double earlier = job.begun_ms ? static_cast<double>(now_ms - *job.begun_ms) / 1000 : 0;
  sql.run(
      "UPDATE job SET state = 'queued', step = checkpoint_step, not_before_ms = ?, begun_ms = NULL, "
      "earlier_seconds = earlier_seconds + ? WHERE id = ?",
      {sql_value(not_before_ms), std::max(0.0, earlier), job.id});
}

}  // namespace

std::optional<Job> JobStore::put_back(const std::string& id) {
  return change(database_, id, {JobState::kPlanned}, [&](Sql& sql, const Job& job) {
    queue_again(sql, job, 0, std::nullopt, database_.now_ms());
  });
}

std::optional<Job> JobStore::begin(const std::string& id) {
  const int64_t now_ms = database_.now_ms();
  std::optional<Job> begun = change(database_, id, {JobState::kPlanned}, [&](Sql& sql, const Job& job) {
    if (job.cancel_requested) {
      end(sql, job, JobState::kCancelled, 0, now_ms);
    } else if (job.attempts == 0 && job.deadline_ms && *job.deadline_ms <= now_ms) {
      Job late = job;
      late.failure = deadline_failure();
      note_failure(sql, late, *late.failure);
      end(sql, late, JobState::kFailed, 0, now_ms);
    } else {
      sql.run(
          "UPDATE job SET state = 'running', attempts = attempts + 1, "
          "started_ms = COALESCE(started_ms, ?), begun_ms = ?, step = checkpoint_step WHERE id = ?",
          {now_ms, now_ms, id});
    }
  });
  if (begun && begun->state == JobState::kRunning) {
    const std::lock_guard lock(mutex_);
    progress_[id] = {begun->step, now_ms};
  }
  return begun;
}

void JobStore::progress(const std::string& id, int step) {
  const int64_t now_ms = database_.now_ms();
  {
    const std::lock_guard lock(mutex_);
    const auto found = progress_.find(id);
    if (found == progress_.end()) return;  // it has ended meanwhile
    found->second.step = step;
    if (now_ms - found->second.written_ms < kProgressEveryMs) return;
    found->second.written_ms = now_ms;
  }
  try {
    database_.write([&](Sql& sql) {
      sql.run("UPDATE job SET step = ? WHERE id = ? AND state = 'running'", {int64_t{step}, id});
    });
  } catch (const Error& error) {
    log::warn("progress is not written: {}", error.what());
  }
}

void JobStore::at_stage(const std::string& id, std::string_view stage, std::optional<int> frame,
                        std::optional<int> frames) {
  const std::lock_guard lock(mutex_);
  const auto found = progress_.find(id);
  if (found == progress_.end()) return;  // it has ended meanwhile
  found->second.stage = stage;
  found->second.frame = frame;
  found->second.frames = frames;
}

std::optional<std::string> JobStore::checkpoint(const std::string& id, const std::string& blob, int step) {
  SNUG_CHECK(!blob.empty() && step >= 0, "a checkpoint is of a step");
  return database_.write([&](Sql& sql) -> std::optional<std::string> {
    const Job job = require_job(sql, id);
    if (job.state != JobState::kRunning) return std::nullopt;
    sql.run("UPDATE job SET checkpoint = ?, checkpoint_step = ?, step = ? WHERE id = ?",
            {blob, int64_t{step}, int64_t{step}, id});
    const std::vector<std::string> unnamed = unnamed_blobs(sql, {job.checkpoint});
    return unnamed.empty() ? std::string() : unnamed.front();
  });
}

std::optional<Job> JobStore::finish(const std::string& id, const JobResult& result) {
  std::optional<Job> done = change(database_, id, {JobState::kRunning}, [&](Sql& sql, const Job& job) {
    const int64_t now_ms = database_.now_ms();
    charge_work(sql, job, result.seconds, now_ms);
    RunRecord run = result.run;
    if (!result.pictures.empty()) {
      run.written_bytes = 0;
      for (const JobPicture& picture : result.pictures) *run.written_bytes += picture.bytes;
    }
    end(sql, job, JobState::kDone, result.seconds, now_ms, run);
    sql.run("UPDATE job SET report = ?, step = steps, error_code = '', error = '' WHERE id = ?",
            {result.report, id});
    insert_pictures(sql, id, result.pictures);
    charge(sql, job.owner, std::ssize(result.pictures), 0, run.written_bytes.value_or(0), now_ms);
  });
  drop_progress(id);
  return done;
}

std::optional<Job> JobStore::fail(const std::string& id, const JobFailure& failure, double seconds,
                                  const RunRecord& run) {
  std::optional<Job> failed =
      change(database_, id, {JobState::kQueued, JobState::kPlanned, JobState::kRunning},
             [&](Sql& sql, const Job& job) {
               const int64_t now_ms = database_.now_ms();
               charge_work(sql, job, seconds, now_ms);
               note_failure(sql, job, failure);
               Job failing = job;
               failing.failure = failure;
               end(sql, failing, JobState::kFailed, seconds, now_ms, run);
             });
  drop_progress(id);
  return failed;
}

std::optional<Job> JobStore::retry(const std::string& id, const JobFailure& failure, double seconds,
                                   int64_t not_before_ms) {
  std::optional<Job> queued =
      change(database_, id, {JobState::kPlanned, JobState::kRunning}, [&](Sql& sql, const Job& job) {
        const int64_t now_ms = database_.now_ms();
        charge_work(sql, job, seconds, now_ms);
        note_failure(sql, job, failure);
        queue_again(sql, job, seconds, not_before_ms, now_ms);
      });
  drop_progress(id);
  return queued;
}

std::optional<Job> JobStore::interrupt(const std::string& id, double seconds) {
  std::optional<Job> queued =
      change(database_, id, {JobState::kPlanned, JobState::kRunning}, [&](Sql& sql, const Job& job) {
        const int64_t now_ms = database_.now_ms();
        charge_work(sql, job, seconds, now_ms);
        queue_again(sql, job, seconds, std::nullopt, now_ms);
      });
  drop_progress(id);
  return queued;
}

Job JobStore::request_cancel(const std::string& id) {
  return database_.write([&](Sql& sql) {
    const Job job = require_job(sql, id);
    if (has_ended(job.state)) return job;
    sql.run("UPDATE job SET cancel_requested = 1 WHERE id = ?", {id});
    if (job.state == JobState::kQueued) end(sql, job, JobState::kCancelled, 0, database_.now_ms());
    return require_job(sql, id);
  });
}

std::optional<Job> JobStore::cancelled(const std::string& id, double seconds, const RunRecord& run) {
  std::optional<Job> gone =
      change(database_, id, {JobState::kPlanned, JobState::kRunning}, [&](Sql& sql, const Job& job) {
        const int64_t now_ms = database_.now_ms();
        charge_work(sql, job, seconds, now_ms);
        end(sql, job, JobState::kCancelled, seconds, now_ms, run);
      });
  drop_progress(id);
  return gone;
}

Recovered JobStore::recover() {
  database_.become_the_service();
  return database_.write([&](Sql& sql) {
    Recovered recovered;
    const int64_t now_ms = database_.now_ms();
    for (const Job& job : select_jobs(sql, "state IN ('planned', 'running') ORDER BY id", {})) {
      // How long it ran is not known: nothing is charged.
      queue_again(sql, job, 0, std::nullopt, now_ms);
      ++(job.cancel_requested ? recovered.cancelled : recovered.queued);
    }
    return recovered;
  });
}

}  // namespace snug
