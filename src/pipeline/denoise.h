// The denoise stage: noise and conditioning become latents, one model call after another.
#pragma once

#include <functional>

#include "base/cancellation.h"
#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// What is recorded on the way when a dump was asked for; sized before the first call.
struct DenoiseTrace {
  HostTensor init_latents;  // [batch,C,h,w]: the start noise as drawn or given
  HostTensor latents;       // [calls,batch,C,h,w]: after every call
  HostTensor timesteps;     // [calls]
};

// Called with done = 0 right before the first call, and after every call.
using StepProgress = std::function<void(int done, int calls, double step_seconds)>;

// [batch,C,h,w], still multiplied by the scaling factor. Nothing is allocated between the first call and the
// last. Throws cancelled.
HostTensor denoise(const PlannedRun& run, const Request& request, const Model& model,
                   const HostTensor& conditioning, NoiseSource& noise, Executor& executor,
                   const StepProgress& progress, DenoiseTrace* trace);

}  // namespace snug
