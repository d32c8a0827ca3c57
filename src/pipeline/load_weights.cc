#include "pipeline/load_weights.h"

#include "base/scoped_timer.h"

namespace snug {

std::unique_ptr<Executor> load_weights(const PlannedRun& run, const Model& model,
                                       const Cancellation& cancellation, RunTrace* trace) {
  const ModelDescription& description = model.description;
  const ScopedTimer timer("take the arena");
  Executor::Weights weights = {{"unet", description.unet_weights}, {"vae", description.vae_weights}};
  for (const TextEncoder& encoder : description.text_encoders) weights[encoder.part] = encoder.weights;
  if (description.video) {
    const VideoModel& video = *description.video;
    weights = {{"text_encoder", video.text_weights}, {"vae", video.vae_weights}};
    for (size_t i = 0; i < video.experts.size(); ++i) weights[expert_part(i)] = video.experts[i];
  }
  auto executor = std::make_unique<Executor>(run.plan, *run.kernels, std::move(weights), cancellation,
                                             run.scratch_folder);
  executor->set_trace(trace);
  return executor;
}

}  // namespace snug
