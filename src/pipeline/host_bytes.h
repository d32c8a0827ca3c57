// What the pipeline's own stages hold outside the arena. Called by make_plan.cc; counted in Plan::host_bytes.
#pragma once

#include "pipeline/make_plan.h"

namespace snug {

// At the fullest of three heights: while encoding prompts, while denoising, and when pictures are written. A
// start picture and given latents are there already when the plan is made, so they count as the process's.
uint64_t host_bytes(const Request& request, const ModelDescription& model, const PlannedRun& run);

}  // namespace snug
