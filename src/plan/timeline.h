// When everything of a phase happens, by simulation: kernels on one thread in order, loads on another in
// order, each waiting for the other as the plan says.
#pragma once

#include <vector>

#include "plan/plan.h"
#include "plan/rates.h"

namespace snug {

struct Interleaving {
  std::vector<double> instruction_seconds;  // predicted, alone
  std::vector<int> loads_needed;            // by instruction
  const std::vector<Load>* loads = nullptr;
  std::vector<double> load_seconds;  // by load
};

struct RunTimes {
  double first_run_seconds = 0, later_run_seconds = 0;
  // Of the first run, or of a later one when there is one: begin and end of each instruction and load, since
  // the begin of the run (a load may begin before it).
  std::vector<std::pair<double, double>> instructions, loads;
  double stall_seconds = 0;  // of that run: kernels waiting for loads
};

// In brief: seconds alone, without when each instruction and load begins and ends.
RunTimes simulate(const Interleaving& work, int runs, bool in_brief = false);

}  // namespace snug
