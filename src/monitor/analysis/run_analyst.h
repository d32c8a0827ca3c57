// Looks at every job that has ended, once: finds its bottlenecks (bottlenecks.h) and puts them into the table
// `bottleneck`, a row for each finding of the whole job. A thread of its own, which works after runs, never
// in one: it is woken when a job has ended, lets the machine be while one runs (Options::is_busy), and takes
// few records at a time. Started by the service beside the sampler.
//
// A record's findings and its analysed_ms are one transaction: a stop between two loses nothing, and nothing
// is found twice. Who runs `analyse` by hand beside the thread does no harm: the rows of a record are
// replaced.
//
// Threads: all methods may be called from any. Errors of the database are waited out.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "jobs/database.h"
#include "monitor/analysis/machine_peaks.h"

namespace snug {

// Analyses the oldest records that nobody has looked at, `most` at most, each in a transaction of its own.
// Returns how many. Throws what Database does.
int64_t analyse_ended_runs(Database& database, const MachinePeaks& peaks, int64_t most);

struct AnalystOptions {
  std::function<MachinePeaks()> peaks = machine_peaks;  // asked for each batch: rates are refined by runs
  std::function<bool()> is_busy;                        // a run is under way; empty: never
  double look_seconds = 30;                             // even when nobody woke it
  double most_wait_seconds =
      300;             // for a machine that is always busy: then records are looked at all the same
  int64_t batch = 50;  // records at a time
};

class RunAnalyst {
 public:
  explicit RunAnalyst(Database& database, AnalystOptions options = {});
  ~RunAnalyst();  // after the record that it is at
  RunAnalyst(const RunAnalyst&) = delete;
  RunAnalyst& operator=(const RunAnalyst&) = delete;

  // A job has ended. Neither throws nor blocks.
  void wake() noexcept;
  // How many records it has analysed since it began.
  int64_t analysed() const;

 private:
  void work();
  bool look();  // false: there may be more

  Database& database_;
  const AnalystOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = true, stops_ = false;
  int64_t analysed_ = 0;
  std::thread thread_;  // last: begins when all else is there
};

}  // namespace snug
