// The decode stage of a video model: latents become frames, one after another.
#pragma once

#include <functional>

#include "media/picture.h"
#include "pipeline/decode_checkpoint.h"
#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// Who watches a clip while it is decoded. All but `take` may be absent.
struct DecodeWatch {
  // Gets each frame as soon as it is made, in order, with its number from 0; it may throw, which ends the
  // stage.
  std::function<void(const Picture& frame, int64_t number)> take;
  // Where the decoding is kept, and from where it goes on when this run's is there: `resumed` is told how
  // many frames `take` has been given then that were not decoded again.
  DecodeCheckpoint* checkpoint = nullptr;
  std::function<void(int64_t frames)> resumed;
  // After each part of a frame but the clip's last: whether it is to be kept now, and that it has been,
  // with so many whole frames.
  std::function<bool()> checkpoint_due;
  std::function<void(int64_t frames)> checkpoint_kept;
};

// latents [1,C,t,h,w] as the sampler left them. Throws cancelled.
void decode_clip(const PlannedRun& run, const Request& request, const Model& model, const HostTensor& latents,
                 Executor& executor, const DecodeWatch& watch);

}  // namespace snug
