#include "pipeline/plan_curve.h"

#include <cmath>
#include <utility>

#include "base/units.h"
#include "pipeline/phase_requests.h"
#include "plan/planner.h"
#include "plan/segment_plan.h"

namespace snug {
namespace {

// The smallest arena may need a little more than the planner's own figure for it to be found again.
constexpr int kSmallestTries = 4;
// By so much processes with the same flags differ.
constexpr uint64_t kProcessNoiseBytes = 4 * kMiB;

uint64_t whole_mib(uint64_t bytes) { return (bytes + kMiB - 1) / kMiB * kMiB; }

// Plans one request again and again; budgets are of the whole process.
class Replanner {
 public:
  // Both must outlive it.
  Replanner(const std::vector<PhaseRequest>& phases, const PlannedRun& run, const Rates& rates)
      : run_(run), planner_(phases, *run.kernels, rates), beside_bytes_(run.beside_bytes) {
    budget_.scratch_file_bytes = run.spillable_bytes;
    budget_.plan_allowance_bytes = kPlanAllowanceBytes;
  }

  PlanOutcome plan(uint64_t bytes, PlanDetail detail = PlanDetail::kBrief) {
    budget_.arena_bytes = bytes > beside_bytes_ ? bytes - beside_bytes_ : 0;
    PlanOutcome outcome = detail == PlanDetail::kBrief ? planner_.sketch(budget_) : planner_.plan(budget_);
    outcome.plan.process_bytes =
        beside_bytes_ - run_.plan.host_bytes + budget_.needed_bytes(outcome.plan) - outcome.plan.arena_bytes;
    outcome.plan.host_bytes = run_.plan.host_bytes;
    return outcome;
  }

  // That a plan needs, in whole MiB.
  uint64_t budget_of(const Plan& plan) const {
    return whole_mib(budget_.needed_bytes(plan) + beside_bytes_ + kProcessNoiseBytes);
  }

  // `least_plan`: of the smallest arena.
  std::optional<CurvePoint> smallest(const Plan& least_plan) {
    uint64_t least = budget_of(least_plan);
    for (int i = 0; i < kSmallestTries; ++i) {
      PlanOutcome outcome = plan(least - kProcessNoiseBytes);
      if (outcome.fits) return CurvePoint{least, std::move(outcome.plan)};
      least = std::max(least + kMiB, budget_of(outcome.plan));
    }
    return std::nullopt;
  }

 private:
  const PlannedRun& run_;
  RequestPlanner planner_;
  uint64_t beside_bytes_;
  Budget budget_;
};

}  // namespace

Plan plan_without_limit(const Request& request, const Model& model, const PlannedRun& run,
                        const Rates& rates) {
  const std::vector<PhaseRequest> phases = phase_requests(request, model.description, run);
  return Replanner(phases, run, rates).plan(UINT64_MAX, PlanDetail::kSteps).plan;
}

std::optional<uint64_t> smallest_budget(const PlanAttempt& failed, const Rates& rates) {
  Replanner replanner(*failed.phases, failed.run, rates);
  const auto least = replanner.smallest(failed.run.plan);
  return least ? std::optional(least->budget_bytes) : std::nullopt;
}

std::vector<CurvePoint> plan_curve(const PlanAttempt& attempt, const Rates& rates, int points) {
  Replanner replanner(*attempt.phases, attempt.run, rates);
  std::vector<CurvePoint> curve;
  auto smallest = replanner.smallest(replanner.plan(0).plan);
  if (!smallest) return curve;
  const uint64_t least = smallest->budget_bytes;
  curve.push_back(std::move(*smallest));
  Plan all = replanner.plan(UINT64_MAX).plan;
  const uint64_t most = replanner.budget_of(all);
  const double growth = std::pow(static_cast<double>(most) / static_cast<double>(least), 1.0 / (points - 1));
  for (int i = 1; i + 1 < points; ++i) {
    const uint64_t bytes = whole_mib(static_cast<uint64_t>(static_cast<double>(least) * std::pow(growth, i)));
    if (bytes <= curve.back().budget_bytes || bytes >= most) continue;
    PlanOutcome outcome = replanner.plan(bytes);
    if (outcome.fits) curve.push_back({bytes, std::move(outcome.plan)});
  }
  if (most > curve.back().budget_bytes) curve.push_back({most, std::move(all)});
  return curve;
}

}  // namespace snug
