// Runs jobs that have come once more, for real: a service of its own, as a configuration would make it, in a
// folder of its own, takes them with the gaps in which they came. What is measured is what run
// records say of jobs. Called by paired_check.cc and the optimiser.
//
// Sets the process's number of threads, as the configuration says; the caller sets it back. Nothing that the
// machine is known by (rates, loads, errors) is changed. Not while another service of this process computes:
// both would be slower, and memory is the process's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "base/configuration.h"
#include "monitor/advice/job_planner.h"
#include "monitor/advice/past_jobs.h"

namespace snug {

struct TrialOptions {
  bool keep_pictures = false;
  std::string
      folder;  // where the service's data and its database snug.sqlite stay; empty: removed afterwards
  const Cancellation* cancellation = nullptr;  // null: never cancelled
};

struct TrialFigures {
  // In the order of the jobs, from when they were accepted to their end; negative: refused or failed.
  std::vector<double> job_seconds;
  int failed = 0, cached = 0;
  double mean_seconds = 0;                       // of those that were done
  double span_seconds = 0;                       // of all of it
  std::optional<uint64_t> peak_bytes;            // of the process, where the system tells
  std::vector<std::vector<std::byte>> pictures;  // the first of each job, encoded; empty where it failed
};

// `jobs` with their arrival times and periods: one period after the other, its jobs with their gaps. Throws
// cancelled, and what making the service throws; what is wrong with a job is that job's.
TrialFigures run_trial(const Configuration& configuration, const std::vector<PastJob>& jobs,
                       const MakeServiceOptions& make_options, const TrialOptions& options = {});

}  // namespace snug
