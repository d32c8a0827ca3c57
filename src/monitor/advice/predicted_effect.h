// What a changed configuration would do to jobs that have come: they are planned again with it
// (job_planner.h) and replayed through the queue (service_replay.h), as they are with the present one; both
// corrected by past errors (past_errors.h), and replayed many times with errors drawn from those to say how
// sure the difference is. Called by adviser.cc and paired_check.cc.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "monitor/advice/advice.h"
#include "monitor/advice/job_planner.h"
#include "monitor/advice/past_errors.h"
#include "monitor/advice/past_jobs.h"
#include "monitor/advice/service_replay.h"

namespace snug {

// Jobs as one configuration would run them. Not safe from several threads.
struct PlannedJobs {
  std::unique_ptr<JobPlanner> planner;
  std::vector<ReplayJob> jobs;
};

// `change_rates`: as JobPlanner's. Throws what opening models and validating requests throws.
PlannedJobs plan_jobs(const std::vector<PastJob>& jobs, const Configuration& configuration,
                      const MakeServiceOptions& make_options, OpenedModels& models,
                      const std::function<void(Rates&)>& change_rates = {});

// Corrected by the medians of past errors.
ReplayFigures replay_planned(PlannedJobs& planned, const PastErrors& errors);

// What the change is good for. Where both compute with the same kernels and threads, what the one is off the
// other is too; where not, the other may be off by as much again.
PredictedEffect predicted_effect(PlannedJobs& before, PlannedJobs& after, const PastErrors& errors);

}  // namespace snug
