// Jobs that the service has done lately, so that they can be planned and run again: what each asked for, when
// it came, what it took. Called by adviser.cc and the optimiser.
//
// What was asked comes from the job's own row; where that has been removed, from its run record, with a
// prompt of the same length in place of the one that is gone. Jobs that begin with a picture are left out,
// because the picture may be gone. Times are seconds since the first job came.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/configuration.h"
#include "jobs/database.h"
#include "jobs/run_record.h"
#include "pipeline/request.h"

namespace snug {

struct PastJob {
  RunRecord record;  // with its detail
  RequestFields
      fields;  // with names of models, as the service takes them; what a default filled in is absent
  bool is_whole = false;  // fields are what was asked, not made up from the record
  std::string content;    // of its pictures: equal texts, equal pictures
  std::string prompt;     // what its conditioning depends on
  double arrival_seconds = 0;
  // Jobs that came while an earlier one had not ended belong to its period; the machine was idle between two.
  int period = 0;
};

struct PastJobs {
  std::vector<PastJob> jobs;  // in the order in which they came
  int left_out = 0;           // that begin with a picture, or are more than `most`
};

// Those that came in [from_ms, to_ms) and ended, the newest `most`. `configuration`: what was left to its
// defaults (default_steps, default_sampler) becomes absent again in `fields`. Throws what Database does.
PastJobs past_jobs(Database& database, int64_t from_ms, int64_t to_ms, int most,
                   const Configuration& configuration);

// Closes the gaps in which the machine was idle: each period begins when the one before has ended, as
// recorded. What a check runs, and what is predicted for it.
std::vector<PastJob> without_idle_time(std::vector<PastJob> jobs);

// The newest periods (at least the newest, cut to its newest jobs where it alone is too long) of which the
// recorded run time is at most `most_seconds`.
std::vector<PastJob> newest_within(const std::vector<PastJob>& jobs, double most_seconds);

}  // namespace snug
