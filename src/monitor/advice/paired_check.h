// Whether a changed configuration is better: the same jobs run for real with the one and with the other, in
// pairs, the order turned round in every second pair, so that what the machine does meanwhile (its clock,
// others' work) meets both alike. Called by adviser.cc and the optimiser after a change was written.
#pragma once

#include <functional>
#include <vector>

#include "monitor/advice/advice.h"
#include "monitor/advice/service_trial.h"

namespace snug {

struct CheckOptions {
  int least_pairs = 3, most_pairs = 9;
  // After which no pair is begun once there are least_pairs.
  double budget_seconds = 60;
  const Cancellation* cancellation = nullptr;
  std::function<void(int pairs_done, int pairs)> progress;  // may be empty
};

// Seconds or failures of one pair's two trials.
struct CheckedPair {
  double before = 0, after = 0;
};

struct CheckResult {
  std::vector<CheckedPair> pairs;
  double before = 0, after = 0;  // medians
  double ratio = 1;              // median over pairs of after / before
  double low_ratio = 1, high_ratio = 1;
  // By the figure: the median pair is below 1; and no job fails that did not before.
  bool better = false;
};

// Runs one trial beforehand that is not counted: what files are read then is in the page cache for all.
// Sets the threads back to what they were. Throws as run_trial.
CheckResult check_in_pairs(const Configuration& before, const Configuration& after,
                           const std::vector<PastJob>& jobs, AdviceFigure figure,
                           const MakeServiceOptions& make_options, const CheckOptions& options);

}  // namespace snug
