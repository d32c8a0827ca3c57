// The detail of a run record as numbers: what jobs/run_figures.h put into it. Called by time_shares.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snug {

// One phase of the plan; predicted and planned numbers say so, the rest was measured.
struct RunPhase {
  std::string name, stage;
  int64_t runs = 0;  // planned
  double predicted_seconds = 0, seconds = 0;
  double predicted_waiting_seconds = 0, waiting_seconds = 0;  // kernels for weights
  double read_bytes = 0;
  double flops = 0, bytes = 0;                   // nominal, of all runs
  double streamed_bytes = 0, spilled_bytes = 0;  // planned, of one run
  int64_t passes = 1, bands = 1;                 // planned
};

struct RunDetail {
  std::vector<RunPhase> phases;
  // Of the machine during the run; absent: not measured.
  std::optional<double> frequency_hertz, frequency_limit_hertz, thermal_throttles;
};

// Nothing for a text that is empty or no such JSON. Numbers that are missing or none that a run has
// (negative, not finite) count as 0, or as absent.
std::optional<RunDetail> read_run_detail(const std::string& detail);

}  // namespace snug
