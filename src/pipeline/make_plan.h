// The plan stage: from a validated request to everything that will run, laid out. No weights are read.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "pipeline/open_model.h"
#include "pipeline/request.h"
#include "plan/plan.h"
#include "runtime/kernel_set.h"

namespace snug {

// Names of the phases, in the order of the run. Those that a request does not need are absent from its plan.
namespace phase {
inline constexpr const char* kEncodeText = "encode_text";
inline constexpr const char* kEncodeImage = "encode_image";
inline constexpr const char* kTimesteps =
    "timesteps";                                    // what depends on the timestep alone, all calls at once
inline constexpr const char* kPrepare = "prepare";  // what depends on the conditioning alone
inline constexpr const char* kStep = "step";
inline constexpr const char* kDecode = "decode";
}  // namespace phase

struct PlannedRun {
  Plan plan;
  std::unique_ptr<KernelSet> kernels;
  std::unique_ptr<Sampler> sampler;
  int first_call = 0;
  PromptChunks positive, negative;  // negative: no chunks when not guided

  int calls() const { return sampler->calls() - first_call; }
};

// Throws invalid_argument (a prompt that is not UTF-8), missing_tensor, shape_mismatch.
PlannedRun make_plan(const Request& request, const Model& model, const Backend& backend);

}  // namespace snug
