// Predicted time over budget: one row for each budget that a request was planned with
// (pipeline/plan_curve.h), as a table, as JSON and as a picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "plan/plan.h"

namespace snug {

struct CurveRow {
  uint64_t budget_bytes = 0, peak_bytes = 0;
  double step_seconds = 0;      // of one call of the sampler, in the long run
  double seconds = 0;           // of everything
  uint64_t streamed_bytes = 0;  // of weights read again in each call
  int passes = 1;
  int banded_operators = 0, most_bands = 1;  // of the phase that has most bands
  int sliced_operators = 0;
  uint64_t spilled_bytes = 0;
};

CurveRow curve_row(uint64_t budget_bytes, const Plan& plan);

// The row whose budget is the largest that `budget_bytes` pays for is marked.
std::string curve_table(const std::vector<CurveRow>& rows, uint64_t budget_bytes);
nlohmann::ordered_json curve_json(const std::vector<CurveRow>& rows);
// Budgets across, on a logarithmic scale; seconds of a step up. A line at `budget_bytes` when it is in range.
std::string curve_svg(const std::vector<CurveRow>& rows, uint64_t budget_bytes, const std::string& title);

}  // namespace snug
