// The record stage: runs on every exit, never fails.
#pragma once

#include "pipeline/run_report.h"

namespace snug {

// One structured log line: what was planned beside what happened. Prompts are not in it.
void record_run(const RunReport& report) noexcept;

}  // namespace snug
