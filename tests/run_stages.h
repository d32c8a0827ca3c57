// The stages of a run one by one, for tests that look between them or hand in noise of their own.
#pragma once

#include <cmath>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/cancellation.h"
#include "pipeline/decode_latents.h"
#include "pipeline/denoise.h"
#include "pipeline/encode_text.h"
#include "pipeline/load_weights.h"
#include "pipeline/make_plan.h"
#include "plan/proof.h"
#include "tensor/host_tensor.h"

namespace snug::testing {

struct Outcome {
  Conditioning conditioning;
  DenoiseTrace trace;
  HostTensor images;
};

// Of a plan that its proof accepts, in an arena that is used to its last byte.
inline Outcome run_stages(const Request& request, const Model& model, const Backend& backend,
                          NoiseSource& noise) {
  const Cancellation cancellation;
  const PlannedRun run = try_plan(request, model, backend, {}).run;
  EXPECT_EQ(prove(run.plan).fault, "");
  const auto executor = load_weights(run, model, cancellation);
  Outcome outcome;
  outcome.conditioning = encode_text(run, request, model, *executor);
  DenoiseWatch watch;
  watch.trace = &outcome.trace;
  const HostTensor latents = denoise(run, request, model, outcome.conditioning, noise, *executor, watch);
  outcome.images = decode_latents(run, request, model, latents, *executor);
  EXPECT_EQ(executor->arena().high_water_bytes(), run.plan.arena_bytes);
  return outcome;
}

inline const Backend& backend_named(const std::string& name) {
  return name == "cpu" ? cpu_backend() : reference_backend();
}

// Between pictures [N,3,H,W] of 0..1 and bytes [N,H,W,3]: the worst difference in levels.
inline double worst_level(const HostTensor& images, const HostTensor& expected) {
  double worst = 0;
  const int64_t batch = images.shape()[0];
  const int64_t pixels = images.shape()[2] * images.shape()[3];
  for (int64_t i = 0; i < batch * pixels * 3; ++i) {
    const int64_t n = i / (pixels * 3);
    const int64_t p = i / 3 % pixels;
    const int64_t c = i % 3;
    const float value = images.floats()[static_cast<size_t>((n * 3 + c) * pixels + p)];
    const auto level = static_cast<double>(expected.bytes()[static_cast<size_t>(i)]);
    worst = std::max(worst, std::abs(std::nearbyint(static_cast<double>(value) * 255) - level));
  }
  return worst;
}

}  // namespace snug::testing
