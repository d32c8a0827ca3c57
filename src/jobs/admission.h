// Whether a job can run at all, and what it takes: its plan, made before it is queued. Plans of the same
// shape are made once.
//
// Threads: all methods may be called from any.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "jobs/job_store.h"
#include "jobs/prepared_job.h"
#include "jobs/service_options.h"
#include "pipeline/fit_request.h"

namespace snug {

class Admission {
 public:
  explicit Admission(const ServiceOptions& options);

  // The whole plan. Throws OverBudget, as `snug plan`, when nothing fits.
  FittedRun fit(const RequestFields& fields, const Model& model) const;
  // What it takes; of the pictures together in one batch. Throws likewise.
  JobPlan plan(const RequestFields& fields, const Model& model);

  // Most that the process may hold, kept weights and all.
  int64_t budget_bytes() const { return budget_bytes_; }
  // The request's own memory limit, or the service's.
  std::string memory_of(const RequestFields& fields) const;

 private:
  Request limited_request(const RequestFields& fields, const Model& model) const;

  const ServiceOptions& options_;
  int64_t budget_bytes_ = 0;
  std::mutex mutex_;
  std::map<std::string, JobPlan> plans_;  // by shape; guarded by mutex_
};

}  // namespace snug
