#include "pipeline/load_weights.h"

#include "base/scoped_timer.h"

namespace snug {

std::unique_ptr<Executor> load_weights(const PlannedRun& run, const Model& model,
                                       const Cancellation& cancellation, RunTrace* trace) {
  const ModelDescription& description = model.description;
  const ScopedTimer timer("take the arena");
  auto executor = std::make_unique<Executor>(run.plan, *run.kernels,
                                             Executor::Weights{{"text_encoder", description.text_weights},
                                                               {"unet", description.unet_weights},
                                                               {"vae", description.vae_weights}},
                                             cancellation, run.scratch_folder);
  executor->set_trace(trace);
  return executor;
}

}  // namespace snug
