// Lays a request's graphs out in time and memory. Called by pipeline/make_plan.cc.
//
// The first planner: every weight of a phase is resident while the phase runs and gone after it; activations
// take and leave the arena by their first and last use. What depends on a budget comes on top of this.
#pragma once

#include <string>
#include <vector>

#include "plan/kernel_source.h"
#include "plan/plan.h"

namespace snug {

// An input of a phase that an earlier phase makes.
struct PhaseLink {
  ValueId input = kNoValue;   // in this phase's graph
  int source_phase = -1;      // index of the earlier phase
  size_t source_output = 0;   // into its graph's outputs()
  bool row_per_call = false;  // call i reads row i of it
};

struct PhaseRequest {
  std::string name, stage, part;
  Graph graph;
  int calls = 1;
  std::vector<PhaseLink> links;
};

struct Footprint {
  uint64_t process_bytes = 0;
  uint64_t host_bytes = 0;
};

// Throws nothing of its own: a graph that was built can be planned. Every plan it returns passes prove().
Plan make_plan(std::vector<PhaseRequest> requests, KernelSource& kernels, const Footprint& footprint);

}  // namespace snug
