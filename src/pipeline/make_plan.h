// The plan stage: from a validated request to everything that will run, laid out inside the budget. No
// weights are read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/units.h"
#include "pipeline/memory_budget.h"
#include "pipeline/open_model.h"
#include "pipeline/phase_names.h"
#include "pipeline/request.h"
#include "plan/plan.h"
#include "plan/planner.h"
#include "plan/rates.h"
#include "runtime/kernel_set.h"

namespace snug {

// What guidance goes towards, and away from: no chunks of that when there is no guidance.
struct PromptPair {
  PromptChunks positive, negative;
  bool operator==(const PromptPair&) const = default;
};

// One prompt as each text encoder of the model takes it, all in as many chunks.
struct TokenizedPrompt {
  std::vector<PromptPair> pairs;
  bool zero_negative = false;  // what the negative prompt gives is replaced by zeros

  size_t chunks() const { return pairs.front().positive.ids.size(); }
};

// Calls of the sampler, counted from the run's first, that one expert of a video model does.
struct ExpertCalls {
  size_t expert = 0;
  int first = 0, count = 0;
};

// What making a plan may leave resident before it is measured; and how much of that the plan itself may be.
// Larger ones count what they take beyond it (Budget::plan_allowance_bytes).
inline constexpr uint64_t kPlanningBytes = 8 * kMiB, kPlanAllowanceBytes = 4 * kMiB;

struct PlannedRun {
  Plan plan;
  MemoryBudget budget;
  uint64_t beside_bytes = 0;                         // of a budget, what the planner took as not the arena's
  RatesSource rates_source = RatesSource::kBuiltIn;  // what the predicted times rest on
  std::string scratch_folder;
  uint64_t spillable_bytes = 0;  // of that folder
  std::unique_ptr<KernelSet> kernels;
  std::unique_ptr<Sampler> sampler;
  int first_call = 0, end_call = 0;  // of the sampler's (call_range.h)
  // Each prompt that the pictures have once, all of as many chunks; and each picture's.
  std::vector<TokenizedPrompt> prompts;
  std::vector<size_t> prompt_of_picture;
  // Of a video model in their place: the prompt, and when guided the negative one behind it.
  std::vector<TokenizedText> clip_prompts;

  int64_t chunks() const { return prompts.empty() ? 1 : static_cast<int64_t>(prompts.front().chunks()); }
  int calls() const { return end_call - first_call; }
  double predicted_seconds() const {
    double seconds = 0;
    for (const Phase& phase : plan.phases) seconds += phase.predicted_seconds();
    return seconds;
  }
};

// All but the plan and its budget: kernels that nothing is chosen of yet, sampler, prompts. Throws
// invalid_argument (a prompt that is not UTF-8).
PlannedRun run_without_plan(const Request& request, const Model& model, const Backend& backend,
                            const Rates& rates);

// A request planned, whether it fits or not.
struct PlanAttempt {
  PlannedRun run;  // when it does not fit: the plan with the smallest peak
  // What was planned, to plan it again with other amounts of memory.
  std::shared_ptr<const std::vector<PhaseRequest>> phases;
  bool fits = false;
  uint64_t smallest_budget_bytes = 0;  // when it does not fit: the budget with which it should
};

// Throws invalid_argument (a prompt that is not UTF-8, a budget larger than the machine), missing_tensor,
// shape_mismatch.
PlanAttempt try_plan(const Request& request, const Model& model, const Backend& backend, const Rates& rates);

}  // namespace snug
