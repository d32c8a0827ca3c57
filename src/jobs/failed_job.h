// A job that failed: whether it gets another attempt, and putting that down. Called by the scheduler and by
// runs.
#pragma once

#include "base/error.h"
#include "jobs/engine_parts.h"
#include "jobs/patience.h"

namespace snug {

// A job that was begun is tried again later, up to ServiceOptions::most_attempts, when the failure may be
// gone by then. Waits while the store fails. `seconds`: measured, charged to the owner. `run`: what the run
// told, where there was one.
void end_failed(const EngineParts& parts, StopSignal& stop, const Job& job, const Error& error,
                double seconds, const RunRecord& run = {});

}  // namespace snug
