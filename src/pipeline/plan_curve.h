// The same request planned with other amounts of memory: without a limit, to tell what measures cost; and
// over a series of budgets. Limits of the machine do not count here. Called by `snug plan` and
// fit_request.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pipeline/make_plan.h"

namespace snug {

struct CurvePoint {
  uint64_t budget_bytes = 0;
  Plan plan;  // a sketch (RequestPlanner)
};

// Planned with everything whole and resident. process_bytes and host_bytes are those of `run`.
Plan plan_without_limit(const Request& request, const Model& model, const PlannedRun& run,
                        const Rates& rates);

// The smallest budget, in whole MiB, with which the request of an attempt that did not fit is planned in a
// process like this one. Nothing when none is found.
std::optional<uint64_t> smallest_budget(const PlanAttempt& failed, const Rates& rates);

// `points` plans or fewer, at budgets in geometric series from the smallest feasible one to that where
// everything is resident, rising.
std::vector<CurvePoint> plan_curve(const PlanAttempt& attempt, const Rates& rates, int points);

}  // namespace snug
