// The load stage: takes the plan's arena from the system, and the scratch file if it spills. Each phase reads
// its weights when it begins (Executor::begin), in the place that earlier phases have left: a decoder never
// waits in memory for its turn.
#pragma once

#include <memory>

#include "base/cancellation.h"
#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// `trace`: for the executor, from its first load on; or null. Throws out_of_memory, disk_full, io_error. The
// run, the model and the cancellation must outlive the executor.
std::unique_ptr<Executor> load_weights(const PlannedRun& run, const Model& model,
                                       const Cancellation& cancellation, RunTrace* trace = nullptr);

}  // namespace snug
