// The plan stage: a request's fastest plan inside its budget; if none fits, what the user allowed to change is
// changed, least damage first; if that does not help, refused with the ways out. Called by generate.cc and by
// `snug plan`.
#pragma once

#include <string>
#include <vector>

#include "pipeline/make_plan.h"

namespace snug {

// What would fit, found by planning it.
struct WayOut {
  std::string flag;     // "--memory 413MiB", "--size 256x256", "--precision bf16"
  std::string meaning;  // "the smallest budget at this size"
  uint64_t memory_bytes = 0;
  int64_t width = 0, height = 0;
  DType precision = DType::kF32;
};

struct FittedRun {
  Request request;  // as it will run
  PlannedRun run;
  std::vector<std::string> changes;  // "precision f32 → bf16"; empty: exactly what was asked for
};

// Throws over_budget, with the ways out in its fix; and what try_plan throws.
FittedRun fit_request(Request request, const Model& model, const Backend& backend, const Rates& rates);

// The shortest list: a larger budget at this size, a smaller size at this budget, a narrower precision.
// `failed`: the attempt that did not fit.
std::vector<WayOut> ways_out(const Request& request, const Model& model, const Backend& backend,
                             const Rates& rates, const PlanAttempt& failed);

}  // namespace snug
