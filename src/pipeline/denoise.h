// The denoise stage: noise and conditioning become latents, one model call after another.
#pragma once

#include <functional>

#include "base/cancellation.h"
#include "pipeline/encode_text.h"
#include "pipeline/make_plan.h"
#include "pipeline/run_checkpoint.h"
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

// Who watches a run while it denoises. All may be absent.
struct DenoiseWatch {
  StepProgress progress;
  DenoiseTrace* trace = nullptr;
  // Goes on from there, instead of from noise.
  const RunCheckpoint* resume = nullptr;
  // After each call but the last: whether a checkpoint is to be made now, and who takes it. A clip's last one
  // gives one in any case: decoding may take as long.
  std::function<bool(int done)> checkpoint_due;
  std::function<void(const RunCheckpoint&)> checkpoint;
  // After each call but the last: [batch,C,h,w], the picture that the model saw under the noise in that call,
  // multiplied by the scaling factor like latents that are done.
  std::function<void(const HostTensor& predicted, int done)> preview;
};

// One generator for each picture of the request.
BatchNoise noise_of(const Request& request);

// [batch,C,h,w], still multiplied by the scaling factor. `noise` is at its beginning, also where the run goes
// on from a checkpoint. Nothing is allocated between the first call and the last, but for a checkpoint.
// Throws cancelled; corrupt_model for a checkpoint that is not of this run.
HostTensor denoise(const PlannedRun& run, const Request& request, const Model& model,
                   const Conditioning& conditioning, NoiseSource& noise, Executor& executor,
                   const DenoiseWatch& watch);

// What denoise would return for a clip that goes on from a checkpoint behind its last call. Throws
// corrupt_model for one that is not of this request.
HostTensor denoised_latents(const RunCheckpoint& checkpoint, const Request& request, const Model& model);

}  // namespace snug
