// How often a run is kept: not before so many seconds have passed, and so seldom that keeping it takes 1 % of
// the time at most, by what it took last. Called by who keeps runs (checkpoint_folder.h, jobs/job_run.h), on
// the run's thread.
#pragma once

#include <algorithm>

#include "base/stopwatch.h"

namespace snug {

class CheckpointPace {
 public:
  explicit CheckpointPace(double least_seconds) : least_seconds_(least_seconds) {}

  bool due() const { return since_.seconds() >= std::max(least_seconds_, cost_seconds_ / kMostShare); }
  // Once a checkpoint has been taken, or was tried to be.
  void taken(double cost_seconds) {
    cost_seconds_ = cost_seconds;
    since_ = Stopwatch();
  }

 private:
  static constexpr double kMostShare = 0.01;  // of the run's time

  double least_seconds_;
  double cost_seconds_ = 0;  // measured, of the last one
  Stopwatch since_;
};

}  // namespace snug
