// A run's trace as JSON in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open. Called by
// `snug profile --trace`. Complete events ("X") on three tracks: the executor (runs of a phase, and in them
// kernels, moves, spills and waiting for weights), the weight streamer (loads), and the pipeline's stages
// with the sampler's steps in them. Times are microseconds since the trace was made, all measured;
// predicted_us in an event's args is the plan's. Memory is counters ("C"): what the process and its arena
// held, measured, and the plan's bytes at the instruction that ran, planned.
#pragma once

#include <string>

#include "plan/plan.h"
#include "runtime/memory_samples.h"
#include "runtime/run_trace.h"

namespace snug {

// `plan`: the one that ran, whose phases the trace refers to. `memory`: with the trace's time, or null. Event
// by event, so that what it takes is 64 KiB however long the trace. Throws io_error, disk_full.
void write_trace(const std::string& path, const RunTrace& trace, const Plan& plan,
                 const MemorySamples* memory = nullptr);

}  // namespace snug
