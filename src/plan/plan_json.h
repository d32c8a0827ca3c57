// The plan for scripts: all that print_plan.h says, and more, as JSON. Bytes and seconds in the units that
// the keys name; seconds are predicted.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "plan/plan.h"
#include "plan/plan_figures.h"

namespace snug {

// {"peak_bytes", "peak_by_kind", "seconds", "phases": [...], "measures": [...], ...}. In peak_by_kind, and in
// each phase's, all values add up to the peak_bytes beside it. With `explain` each phase has its operators.
nlohmann::ordered_json plan_json(const Plan& plan, const PlanFigures& figures, bool explain);

}  // namespace snug
