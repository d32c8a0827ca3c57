// Refusals as JSON, for `snug plan` and `snug generate`.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "pipeline/fit_request.h"

namespace snug::cli {

// The error object of print_error.h, with "budget", "smallest_budget_bytes" and "ways_out": each with the
// flag that takes it, as one text, and what it comes to.
nlohmann::ordered_json refusal_json(const OverBudget& refusal);

}  // namespace snug::cli
