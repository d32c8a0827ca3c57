// The service's queue as a simulation of discrete events: jobs arrive when they did, and the rules by which
// the scheduler takes, joins, keeps and caches (jobs/scheduler.h, batch.h, kept_runs.h) decide when each
// ends, with run times that are given. Called by predicted_effect.cc, which replays the same jobs with the
// times and limits of two configurations.
//
// What it leaves out: owners and priorities (arrival order is the order), checkpoints, expiry by time, and
// that two runs computing at once take turns kernel by kernel: here the older computes first. Times are
// seconds since the first arrival. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace snug {

struct ReplayJob {
  double arrival_seconds = 0;
  int shape = 0;             // equal for jobs that one plan can run
  int64_t pictures = 1;      // of the job
  std::string content;       // equal for jobs with the same pictures
  std::string prompt;        // equal for jobs with the same conditioning
  int64_t result_bytes = 0;  // of its files
  double time_factor = 1;    // on its kernels' time, against what is predicted
};

// One run: of some jobs together, or of one.
struct RunCost {
  bool fits = true;            // false: refused when it is submitted
  double plan_seconds = 0;     // once for a shape that is not kept
  double load_seconds = 0;     // likewise: opening, and what kernels wait for weights that are not kept
  double encode_seconds = 0;   // of one prompt that is not cached
  double waiting_seconds = 0;  // for weights that are streamed in any case
  double compute_seconds = 0;  // kernels, on all cores
  double after_seconds = 0;    // encoding files, keeping them: beside another run's kernels
  int64_t peak_bytes = 0, kept_bytes = 0;  // of the process; of what stays for the next of its shape
  int64_t conditioning_bytes = 0;          // of one prompt
};
using CostOfRun = std::function<RunCost(int shape, int64_t pictures)>;

struct ReplayLimits {
  int64_t budget_bytes = INT64_MAX;
  double models_share = 0.5;
  int64_t most_batch = 1;
  int runs_at_once = 1;
  int64_t result_bytes = 0, conditioning_bytes = 0;
  double cached_seconds = 0;  // of a job that the cache answers
};

struct ReplayFigures {
  int jobs = 0, failed = 0, cached = 0, runs = 0, kept = 0, shared = 0;  // shared: jobs in runs of several
  double mean_seconds = 0, median_seconds = 0, p95_seconds = 0;          // of jobs that were done
  double span_seconds = 0;          // from the first arrival to the last end
  int64_t peak_bytes = 0;           // of runs under way and what is kept beside them
  std::vector<double> job_seconds;  // in the order of the jobs; negative: refused
};

// `jobs` in the order of their arrival.
ReplayFigures replay(const std::vector<ReplayJob>& jobs, const ReplayLimits& limits, const CostOfRun& cost);

}  // namespace snug
