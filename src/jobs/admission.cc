#include "jobs/admission.h"

#include <algorithm>

#include "backend/backend.h"
#include "base/machine_memory.h"
#include "base/units.h"
#include "pipeline/choose_precision.h"
#include "pipeline/fit_request.h"
#include "pipeline/kept_run.h"
#include "pipeline/memory_budget.h"
#include "pipeline/validate_request.h"

namespace snug {
namespace {

// Plans that are remembered; beyond, all are forgotten, for they are quickly made again.
constexpr size_t kMostPlans = 4096;

}  // namespace

Admission::Admission(const ServiceOptions& options) : options_(options) {
  const MemoryBudget budget = memory_budget(options.memory_bytes, machine_memory(), process_size());
  budget_bytes_ = static_cast<int64_t>(budget.bytes);
}

std::string Admission::memory_of(const RequestFields& fields) const {
  int64_t bytes = budget_bytes_;
  if (fields.memory.has_value()) {
    bytes = std::min(bytes, static_cast<int64_t>(parse_bytes(*fields.memory, "memory")));
  }
  return std::to_string(bytes) + "B";
}

Request Admission::limited_request(const RequestFields& fields, const Model& model) const {
  RequestFields limited = fields;
  limited.memory = memory_of(fields);
  Request request = validate_request(limited, model, cpu_backend());
  settle_precision(request, model, cpu_backend(), options_.rates);
  return request;
}

FittedRun Admission::fit(const RequestFields& fields, const Model& model) const {
  return fit_request(limited_request(fields, model), model, cpu_backend(), options_.rates);
}

JobPlan Admission::plan(const RequestFields& fields, const Model& model) {
  const Request request = limited_request(fields, model);
  const PlannedRun fresh = run_without_plan(request, model, cpu_backend(), options_.rates);
  const std::string shape = model.identity + shape_of(request, fresh) + std::to_string(fresh.prompts.size());
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = plans_.find(shape); found != plans_.end()) return found->second;
  }
  const FittedRun fitted = fit(fields, model);
  const JobPlan plan = {static_cast<int64_t>(fitted.run.plan.peak_bytes()), fitted.run.predicted_seconds(),
                        fitted.run.calls()};
  const std::scoped_lock lock(mutex_);
  if (plans_.size() >= kMostPlans) plans_.clear();
  plans_[shape] = plan;
  return plan;
}

}  // namespace snug
