// Where denoising a clip starts: noise or given latents, and what a given picture adds. Part of the denoise
// stage; the counterpart of start_latents.h for video models.
#pragma once

#include "pipeline/start_latents.h"

namespace snug {

StartLatents start_clip(const PlannedRun& run, const Request& request, const Model& model, NoiseSource& noise,
                        Executor& executor);

}  // namespace snug
