// The load stage: takes the plan's arena from the system, compiles kernels, and reads the weights of the
// first phase. Later phases read theirs when they begin (Executor::load), in the place that earlier phases
// have left: a decoder never waits in memory for its turn.
#pragma once

#include <memory>

#include "base/cancellation.h"
#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// Throws out_of_memory, truncated, io_error, cancelled. The run and the model must outlive the executor.
std::unique_ptr<Executor> load_weights(const PlannedRun& run, const Model& model,
                                       const Cancellation& cancellation);

}  // namespace snug
