// The section "advice" of `./dev bench observe`: ten configurations that are bad for what is asked of them,
// each with jobs that show it. The service runs the jobs; then the first piece of advice is applied, whose
// check runs them with both configurations in turn. What counts is that the figure that it names improves,
// and by how much beside what was predicted: both of the same run.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "bench/target.h"

namespace snug::bench {

struct AdviceTrial {
  std::string name, advice;  // what was bad; what was applied
  std::string problem;       // why nothing was
  double predicted_before = 0, predicted_after = 0, before = 0, after = 0, ratio = 1;
  bool improved = false;
  // Shares of `before` that are saved.
  double predicted_saving() const {
    return predicted_before > 0 ? 1 - predicted_after / predicted_before : 0;
  }
  double saving() const { return 1 - ratio; }
  bool within_two() const { return saving() >= predicted_saving() / 2 && saving() <= predicted_saving() * 2; }
};

// Measures this machine's rates first (a few seconds each), then takes about `check_seconds` and the jobs'
// own time for each of the ten. `only`: names to do; empty: all. Tells progress on standard error.
std::vector<AdviceTrial> try_bad_configurations(double check_seconds,
                                                const std::vector<std::string>& only = {});

std::string advice_table(const std::vector<AdviceTrial>& trials, bool markdown);
nlohmann::ordered_json advice_json(const std::vector<AdviceTrial>& trials);
std::vector<Target> advice_targets(const std::vector<AdviceTrial>& trials);

}  // namespace snug::bench
