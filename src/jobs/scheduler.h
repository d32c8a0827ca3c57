// Which jobs run next, together or alone, and with what: takes them from the store in its fair order, answers
// those that the cache has, puts those together that share a plan, reserves the plan's bytes, and finds what
// an earlier run left. Called by the engine's lanes.
//
// Order is strict: while the next jobs cannot begin, because memory is taken or because a run beside them has
// what they would use, none that come after them do.
//
// Whatever is wrong with a job ends in its state; errors of the store are waited out.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "jobs/batch.h"
#include "jobs/engine_parts.h"
#include "jobs/kept_runs.h"
#include "jobs/patience.h"

namespace snug {

// Jobs that are running for the store, as one request.
struct ReadyRun {
  std::vector<BatchJob> batch;
  RequestFields fields;
  std::shared_ptr<const Model> model;
  std::string batch_key;   // PreparedJob's
  int64_t peak_bytes = 0;  // planned and reserved
  int64_t order = 0;       // of runs: smaller began earlier
  KeptRuns::Slot* kept = nullptr;
  bool keeps_history = false;  // of what it tells of this machine
};

struct NextRun {
  enum class Wait {
    kNone,    // there is a run, or something happened: look again
    kForJob,  // nothing may begin before a job comes, or before `wake_ms`
    kForRun,  // the next jobs wait for a run to end
  };
  std::optional<ReadyRun> run;
  Wait wait = Wait::kNone;
  std::optional<int64_t> wake_ms;  // since 1970
};

// Threads: all methods may be called from any; next() by one at a time.
class Scheduler {
 public:
  Scheduler(const EngineParts& parts, StopSignal& stop) : parts_(parts), stop_(stop) {}

  NextRun next();
  // What the run used of `kept` is free: its pictures are there, or never will be. `remake_seconds`: what
  // loading and planning took.
  void generated(const ReadyRun& run, double remake_seconds);
  // Its memory is free.
  void ended(const ReadyRun& run);

  KeptRuns& kept() { return kept_; }

 private:
  std::vector<BatchJob> gather(const std::vector<Job>& ready, bool& must_wait);
  std::shared_ptr<const PreparedJob> prepare(const Job& job);
  bool is_being_made(const BatchJob& job);
  bool answer_from_cache(const BatchJob& job);
  NextRun begin(std::vector<BatchJob> batch, const JobPlan& plan);
  // kNoRoom when the first job found none; else those that begin stay in `batch`.
  Reservation reserve(std::vector<BatchJob>& batch, const JobPlan& plan);
  Reservation reserve(const std::string& id, const JobPlan& plan, int64_t bytes);
  std::optional<Job> begin(const std::string& id);
  bool is_taken(const std::string& shape, const std::string& batch_key);
  bool is_busy();
  bool has_room(int64_t peak_bytes);
  void take(ReadyRun& run, const std::string& shape);

  const EngineParts parts_;
  StopSignal& stop_;
  KeptRuns kept_;

  struct InFlight {
    int64_t order = 0, peak_bytes = 0;
    std::string batch_key;
    std::vector<std::string> addresses;  // of the pictures that it makes
  };
  std::mutex mutex_;  // of all below
  std::vector<InFlight> in_flight_;
  int64_t last_order_ = 0;
  std::optional<std::chrono::steady_clock::time_point> history_kept_;
};

}  // namespace snug
