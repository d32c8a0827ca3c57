// The decode stage: latents become pictures, one at a time.
#pragma once

#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// latents [batch,C,h,w] as the sampler left them → [batch,3,H,W] in [0,1], clamped. Throws cancelled.
HostTensor decode_latents(const PlannedRun& run, const Request& request, const Model& model,
                          const HostTensor& latents, Executor& executor);

}  // namespace snug
