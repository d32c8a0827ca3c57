// The decode stage of a video model: latents become frames, one after another.
#pragma once

#include <functional>

#include "media/picture.h"
#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// `take` gets each frame as soon as it is made, in order, with its number from 0; it may throw, which ends
// the stage. latents [1,C,t,h,w] as the sampler left them. Throws cancelled.
void decode_clip(const PlannedRun& run, const Request& request, const Model& model, const HostTensor& latents,
                 Executor& executor, const std::function<void(const Picture& frame, int64_t number)>& take);

}  // namespace snug
