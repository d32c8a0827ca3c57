// Time over budget as a picture: what memory_bench measured, on the line that `snug plan --curve` predicts.
// (plan/curve.h draws predictions alone.)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace snug::bench {

struct TimePoint {
  uint64_t budget_bytes = 0;  // of the whole process
  double step_seconds = 0;    // of one call of the sampler, after the first
  double seconds = 0;         // of all phases
  bool direct_reads = false;  // weights read past the page cache
};

// A standalone SVG of two plots, a step above, everything below. Budgets across on a logarithmic scale.
// `predicted` rises by budget; either list may be empty.
std::string draw_curve(const std::string& title, const std::vector<TimePoint>& predicted,
                       const std::vector<TimePoint>& measured);

}  // namespace snug::bench
