// What a phase's run does for each of its operators, gathered from its instructions. Called by print_plan.cc
// and plan_json.cc.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace snug {

struct OperatorLine {
  NodeId node = kNoNode;
  std::string op, name, kernel;  // name: of the output, the module that makes it
  std::string shape;             // of the output, "[2,320,64,64] f32"
  int parts = 0;                 // runs of the kernel in one run of the phase
  std::string cut;               // "" when whole; "rows", "channels"
  uint64_t output_bytes = 0;     // of the whole output
  uint64_t weight_bytes = 0;     // that it reads, as they lie in memory
  uint64_t scratch_bytes = 0;
  double seconds = 0;  // predicted, all parts, of one run
  std::vector<Declined> declined;
};

// In the order of their first part. Views do not run and are left out.
std::vector<OperatorLine> operator_lines(const Phase& phase);

}  // namespace snug
