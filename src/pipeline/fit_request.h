// The plan stage: a request's fastest plan inside its budget; if none fits, what the user allowed to change
// is changed, least damage first; if that does not help, refused with the ways out. Called by generate.cc and
// by `snug plan`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "pipeline/make_plan.h"
#include "pipeline/way_out.h"

namespace snug {

// The refusal: over_budget, with the ways out in its fix and as a list.
class OverBudget : public Error {
 public:
  OverBudget(std::string problem, std::string fix, std::vector<WayOut> ways, MemoryBudget budget,
             uint64_t smallest_budget_bytes);

  std::vector<WayOut> ways;
  MemoryBudget budget;
  uint64_t smallest_budget_bytes = 0;
};

struct FittedRun {
  Request request;  // as it will run
  PlannedRun run;
  std::vector<std::string> changes;  // "precision f32 → bf16"; empty: exactly what was asked for
};

// Throws OverBudget, and what try_plan throws.
FittedRun fit_request(Request request, const Model& model, const Backend& backend, const Rates& rates);

// The largest size of about the request's shape that fits its budget, with a long edge below `edge_limit`
// pixels; nothing when none does, or when a picture that the request brings sets its size.
std::optional<Request> largest_size(const Request& request, int64_t edge_limit, const Model& model,
                                    const Backend& backend, const Rates& rates);

// The longest clip of the request's that fits its budget, shorter than asked for; nothing when none does, or
// when latents that the request brings set its length.
std::optional<Request> most_frames(const Request& request, const Model& model, const Backend& backend,
                                   const Rates& rates);

// The shortest list: a larger budget at this size, a narrower precision, a smaller size or
// a shorter clip at this budget.
// `failed`: the attempt that did not fit.
std::vector<WayOut> ways_out(const Request& request, const Model& model, const Backend& backend,
                             const Rates& rates, const PlanAttempt& failed);

}  // namespace snug
