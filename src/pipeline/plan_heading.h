// What stands before a plan's figures for scripts: what the request became, and the budget. For `snug plan
// --json` and the service's answer to the same question.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "pipeline/fit_request.h"

namespace snug {

// {"bytes", "stated", "limited_by", "margin_bytes"}.
nlohmann::ordered_json budget_json(const MemoryBudget& budget);

// {"status", "model", "architecture", "width", "height", "steps", ..., "budget": {...}, "changes", "rates",
// ...}; plan_json.h's members follow it.
nlohmann::ordered_json plan_heading_json(const FittedRun& fitted, const Model& model);

}  // namespace snug
