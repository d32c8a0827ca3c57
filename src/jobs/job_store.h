// The jobs of the service, so kept that none is lost: every method is one transaction of the Database, which
// is on disk when the method returns. Called by the service, its scheduler and its engine; tokens, caches and
// uploads have stores of their own beside it.
//
// Who may change what: anybody may add a job or ask to cancel one. After reserve() a job belongs to the
// scheduler and the engine, who alone move it on. A change that does not begin in the state that the job is
// in changes nothing and says so (nullopt, kLost): somebody was faster. An unknown id throws not_found.
//
// Fair order. Each owner has a use: seconds of work, halved every hour (kUseHalvingMs), with what is reserved
// counted as predicted until it is measured. Of the jobs with the highest priority the next is of the owner
// with the least use, and of that owner's the oldest. Uses are kept as t/h + log2(seconds), which orders
// owners the same at any time, so that nothing is recomputed as time passes.
//
// Records. The transaction that accepts a job begins its run record, the one that ends it completes that.
//
// Threads: all methods may be called from any. Errors: those of database.h, and where stated.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "jobs/database.h"
#include "jobs/job.h"
#include "jobs/run_record.h"
#include "jobs/service.h"

namespace snug {

inline constexpr int64_t kUseHalvingMs = 60 * 60 * 1000;

struct NewJob {
  // state kQueued, or kDone with its pictures and report when the cache had them; id and times are given
  // here. planned_* as admission predicted them, or absent.
  Job job;
  std::string prompt;               // what JobQuery::search looks in
  std::vector<std::string> inputs;  // blobs that the request names
  RunRecord record;                 // what was asked, settled (run_record.h); the rest is filled in here
};

struct AddedJob {
  Job job;
  bool was_there = false;  // an earlier one with the same idempotency key; nothing was added
};

struct NextJobs {
  std::vector<Job> ready;          // in fair order, as if those before were taken
  std::vector<Job> expired;        // became failed in this call: their deadline passed before they began
  std::optional<int64_t> wake_ms;  // when the next not_before or deadline of a queued job comes
};

struct JobPlan {
  int64_t peak_bytes = 0;  // predicted
  double seconds = 0;      // predicted
  int steps = 0;
};

enum class Reservation { kReserved, kNoRoom, kLost };

struct JobResult {
  std::vector<JobPicture> pictures;
  std::string report;  // JSON
  double seconds = 0;  // measured; charged to the owner
  RunRecord run = {};  // what the run told (run_figures.h)
};

struct Recovered {
  int queued = 0;     // were planned or running, and are queued again, with their checkpoints
  int cancelled = 0;  // likewise, but were to be cancelled
};

class JobStore {
 public:
  explicit JobStore(Database& database) : database_(database) {}

  // Adds a job, or finds the one of the same owner and idempotency key. Throws conflict when that one asks
  // for something else, queue_full when `most_queued` jobs are queued (a done one needs no place),
  // quota_exceeded when what the owner has used today and what waits leave no room for it, and
  // invalid_argument for text that is not UTF-8.
  AddedJob add(const NewJob& added, int64_t most_queued);

  // Up to `most` jobs that may begin now. Deadlines that have passed end here.
  NextJobs next(int most);

  // queued -> planned, if `bytes` more are within `budget_bytes` with all that is reserved. Two never pass
  // together.
  Reservation reserve(const std::string& id, const JobPlan& plan, int64_t bytes, int64_t budget_bytes);
  // planned -> queued: its turn comes again. This and what else goes back to queued becomes cancelled instead
  // when that was asked for.
  std::optional<Job> put_back(const std::string& id);
  // planned -> running; one more attempt. Instead, -> cancelled when that was asked for, -> failed when this
  // would be the first attempt and the deadline has passed. The job as it is then.
  std::optional<Job> begin(const std::string& id);

  // Of a running job. Kept in memory, and written at most once a second for each job. Never throws an Error:
  // a picture is not given up because its progress cannot be written.
  void progress(const std::string& id, int step);
  // Of a running job: where its run is, and of a clip that is being decoded how many frames are done. Kept in
  // memory alone.
  void at_stage(const std::string& id, std::string_view stage, std::optional<int> frame,
                std::optional<int> frames);
  // Of a running job: the newest checkpoint takes the place of the one before. Returns that one's blob
  // (empty: none) if nothing names it any more, which may be removed at once: no other job puts those bytes.
  // nullopt when the job does not run.
  std::optional<std::string> checkpoint(const std::string& id, const std::string& blob, int step);

  // running -> done. Also when a cancellation was asked for: the pictures are there.
  std::optional<Job> finish(const std::string& id, const JobResult& result);
  // queued, planned or running -> failed. `seconds`: measured, charged.
  std::optional<Job> fail(const std::string& id, const JobFailure& failure, double seconds,
                          const RunRecord& run = {});
  // planned or running -> queued, with its checkpoint, not before `not_before_ms`.
  std::optional<Job> retry(const std::string& id, const JobFailure& failure, double seconds,
                           int64_t not_before_ms);
  // planned or running -> queued with its checkpoint, for a stop of the service: nothing went wrong.
  std::optional<Job> interrupt(const std::string& id, double seconds);
  // queued -> cancelled. Of a planned or running one it is noted, and whoever has it calls cancelled().
  Job request_cancel(const std::string& id);
  // planned or running -> cancelled.
  std::optional<Job> cancelled(const std::string& id, double seconds, const RunRecord& run = {});

  // Once after a start, before next(): what a process that is gone had planned or running. Makes this process
  // the one service of the database (throws conflict when there is one).
  Recovered recover();

  Job get(const std::string& id);
  // Newest first. A word of `search` may be anywhere in the prompt, in either case of ASCII letters.
  std::vector<Job> list(const JobQuery& query);
  // wait_seconds: the predictions of all that is ahead, one after the other; absent if one has none.
  QueueFigures queue_figures(int64_t budget_bytes);
  std::map<JobState, int64_t> counts();
  // Removes jobs that ended before then, with their pictures' rows, oldest first, at most `most`. Returns how
  // many. Their blobs are swept.
  int64_t forget_ended(int64_t before_ms, int64_t most);

 private:
  struct Progress {
    int step = 0;
    int64_t written_ms = 0;
    std::string stage = {};
    std::optional<int> frame = {}, frames = {};
  };
  void overlay_progress(Job* job);
  void drop_progress(const std::string& id);

  Database& database_;
  std::mutex mutex_;
  std::map<std::string, Progress> progress_;  // of running jobs; guarded by mutex_
};

}  // namespace snug
