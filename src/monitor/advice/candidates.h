// Changes that could be good for jobs that have come: values for each setting that the service's speed
// depends on, made from the jobs, the present configuration and the machine. Whether any is good is found by
// planning (predicted_effect.h); nothing is advised here. Called by adviser.cc.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "monitor/advice/advice.h"
#include "monitor/advice/predicted_effect.h"
#include "plan/rates.h"

namespace snug {

struct AdviceCandidate {
  AdviceCategory category = AdviceCategory::kConfiguration;
  std::string title;
  std::optional<Action> action;              // or
  std::function<void(Rates&)> change_rates;  // of another machine, which Snug cannot make
  std::string key;                           // of what it changes: one of a key is enough
};

// In the order of what they demand: of equal effect the earlier is better. `now`: as the present
// configuration runs the jobs.
std::vector<AdviceCandidate> candidates(const Configuration& configuration, const PlannedJobs& now);

}  // namespace snug
