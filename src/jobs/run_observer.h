// Who measures runs: told of each that begins, and of each that ended, also by an error, with what was
// planned beside what happened. Called by the engine, once a run however many jobs share it; implemented in
// src/monitor. What becomes of jobs is told by Service::subscribe.
#pragma once

#include <cstdint>
#include <optional>

#include "jobs/machine_use.h"
#include "pipeline/run_report.h"

namespace snug {

class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // From the engine's threads, also from two at once. Neither throws nor blocks.
  // The number by which run_ended knows the run.
  virtual int64_t run_began() noexcept { return 0; }
  // What the machine did since that run began, for its record; nothing where nobody measures.
  virtual std::optional<MachineUse> run_ended(int64_t run, const RunReport& report) noexcept = 0;
};

}  // namespace snug
