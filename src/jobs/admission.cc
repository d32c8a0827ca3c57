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
  // Bytes that others hold now and this job could have.
  return std::to_string(bytes + spare_bytes_.load()) + "B";
}

Request Admission::limited_request(const RequestFields& fields, const Model& model) const {
  RequestFields limited = fields;
  limited.memory = memory_of(fields);
  Request request = validate_request(limited, model, cpu_backend());
  settle_precision(request, model, cpu_backend(), options_.rates);
  return request;
}

FittedRun Admission::fit(const RequestFields& fields, const Model& model) const {
  const auto spare = static_cast<uint64_t>(spare_bytes_.load());
  FittedRun fitted = fit_request(limited_request(fields, model), model, cpu_backend(), options_.rates);
  // Planning found it resident, and counted it to the process.
  fitted.run.plan.process_bytes -= std::min(fitted.run.plan.process_bytes, spare);
  fitted.run.budget.bytes -= std::min(fitted.run.budget.bytes, spare);
  return fitted;
}

JobPlan Admission::plan(const RequestFields& fields, const Model& model) {
  Request request = limited_request(fields, model);
  const PlannedRun fresh = run_without_plan(request, model, cpu_backend(), options_.rates);
  request.memory_bytes = static_cast<uint64_t>(budget_bytes_);
  const std::string shape = model.identity + shape_of(request, fresh) + std::to_string(fresh.prompts.size()) +
                            fields.memory.value_or("");
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
