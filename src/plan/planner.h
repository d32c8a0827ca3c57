// Lays a request's graphs out in time and memory, within a budget. Called by pipeline/make_plan.cc.
//
// What is decided here, phase by phase (search.h): how many passes the batch takes, which weights stay and
// which are streamed, which stretches of the graph run band by band, which nodes run by output channels, what
// is written to a scratch file. None of it changes a bit of the result. The fastest combination that fits by
// the cost model wins.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plan/kernel_source.h"
#include "plan/plan.h"
#include "plan/rates.h"

namespace snug {

// One way to cut a phase's batch. The graphs of a phase's ways differ in their batch alone.
struct PhaseWay {
  int passes = 1;
  Graph graph;  // of one pass
  std::vector<PhaseLink> links;
};

struct PhaseRequest {
  std::string name, stage, part;
  int calls = 1;
  // One, or as many as every other phase that has several: those take the same way together.
  std::vector<PhaseWay> ways;
};

struct Budget {
  uint64_t arena_bytes = UINT64_MAX;
  uint64_t scratch_file_bytes = 0;  // most that may be spilled; 0: nothing
  bool keep_weights = false;  // from one execution to the next, as far as there is room (keep_weights.h)
  // What of the plan's own memory (Plan::plan_bytes) others have allowed for. What it takes beyond that has
  // to be found in arena_bytes.
  uint64_t plan_allowance_bytes = UINT64_MAX;

  // Of arena_bytes.
  uint64_t needed_bytes(const Plan& plan) const {
    return plan.arena_bytes + plan.plan_bytes - std::min(plan.plan_bytes, plan_allowance_bytes);
  }
};

struct PlanOutcome {
  Plan plan;          // the fastest that fits; when none fits, the smallest there is
  bool fits = false;  // budget.needed_bytes(plan) <= budget.arena_bytes
};

// Plans one request for one budget after another; what it finds out of the request's graphs serves all of
// them. One thread at a time.
class RequestPlanner {
 public:
  // `requests`, `kernels` and `rates` must outlive it. `keep_weights`: of all its budgets.
  RequestPlanner(const std::vector<PhaseRequest>& requests, KernelSource& kernels, const Rates& rates,
                 bool keep_weights = false);
  ~RequestPlanner();
  RequestPlanner(const RequestPlanner&) = delete;
  RequestPlanner& operator=(const RequestPlanner&) = delete;

  // Throws nothing of its own: a graph that was built can be planned. Every plan it returns passes prove().
  PlanOutcome plan(const Budget& budget);
  // The same plan without graphs, instructions and loads: sizes, times and measures, in a tenth of the time.
  PlanOutcome sketch(const Budget& budget);
  // The plan when it fits, or else the sketch.
  PlanOutcome plan_or_sketch(const Budget& budget);
  // How many ways of running a segment were looked into so far.
  size_t segment_plans() const;

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

// Of one budget, as plan().
PlanOutcome make_plan(const std::vector<PhaseRequest>& requests, KernelSource& kernels, const Budget& budget,
                      const Rates& rates);

}  // namespace snug
