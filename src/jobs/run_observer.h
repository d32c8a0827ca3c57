// Who measures runs: told of each that ended, also by an error, with what was planned beside what happened.
// Called by the engine, once a run however many jobs share it; implemented in src/monitor. What becomes of
// jobs is told by Service::subscribe.
#pragma once

#include "pipeline/run_report.h"

namespace snug {

class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // From the engine's threads, also from two at once. Neither throws nor blocks.
  virtual void run_ended(const RunReport& report) noexcept = 0;
};

}  // namespace snug
