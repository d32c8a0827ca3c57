// What comes before a request is planned: its graphs, its budget, and what of it is not the arena's. Called
// by make_plan.cc, and by who plans for budgets of its own (plan_curve.h).
#pragma once

#include "pipeline/make_plan.h"

namespace snug {

// All of an attempt but its plan, which has only `host_bytes` and `process_bytes`, as far as they are known
// before. Throws what try_plan throws.
PlanAttempt prepare_plan(const Request& request, const Model& model, const Backend& backend,
                         const Rates& rates);

}  // namespace snug
