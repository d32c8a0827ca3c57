// The stages of a clip one by one, for tests that look between them, hand in noise of their own, or run in an
// arena of a size that they choose.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/cancellation.h"
#include "media/picture.h"
#include "pipeline/decode_clip.h"
#include "pipeline/denoise.h"
#include "pipeline/encode_clip_text.h"
#include "pipeline/load_weights.h"
#include "pipeline/make_plan.h"
#include "pipeline/phase_requests.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "tensor/host_tensor.h"

namespace snug::testing {

struct ClipOutcome {
  Conditioning conditioning;
  DenoiseTrace trace;
  HostTensor latents;
  std::vector<Picture> frames;
  uint64_t arena_bytes = 0;
};

// Inside `arena_bytes`, or in the least that can be.
inline PlannedRun planned(const Request& request, const Model& model, uint64_t arena_bytes) {
  PlannedRun run = run_without_plan(request, model, cpu_backend(), Rates());
  Budget budget;
  budget.arena_bytes = arena_bytes;
  run.plan = make_plan(phase_requests(request, model.description, run), *run.kernels, budget, Rates()).plan;
  EXPECT_EQ(prove(run.plan).fault, "");
  return run;
}

inline ClipOutcome run_clip(const Request& request, const Model& model, NoiseSource& noise,
                            uint64_t arena_bytes = UINT64_MAX, const RunCheckpoint* resume = nullptr,
                            std::vector<RunCheckpoint>* checkpoints = nullptr) {
  const PlannedRun run = planned(request, model, arena_bytes);
  const Cancellation never;
  const auto executor = load_weights(run, model, never, nullptr);
  ClipOutcome outcome;
  outcome.arena_bytes = run.plan.arena_bytes;
  outcome.conditioning = encode_clip_text(run, request, model, *executor, nullptr);
  DenoiseWatch watch;
  watch.trace = &outcome.trace;
  watch.resume = resume;
  watch.checkpoint_due = [&](int) { return checkpoints != nullptr; };
  if (checkpoints != nullptr)
    watch.checkpoint = [&](const RunCheckpoint& checkpoint) { checkpoints->push_back(checkpoint); };
  outcome.latents = denoise(run, request, model, outcome.conditioning, noise, *executor, watch);
  DecodeWatch decoding;
  decoding.take = [&](const Picture& frame, int64_t number) {
    EXPECT_EQ(number, static_cast<int64_t>(outcome.frames.size()));
    outcome.frames.push_back(frame);
  };
  decode_clip(run, request, model, outcome.latents, *executor, decoding);
  return outcome;
}

}  // namespace snug::testing
