#include "pipeline/phase_requests.h"

#include <utility>

#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/model_graphs.h"
#include "pipeline/clip_phases.h"
#include "pipeline/step_way.h"

namespace snug {
namespace {

Graph ready(Graph graph, DType precision) { return set_precision(run_passes(std::move(graph)), precision); }

PhaseRequest simple_phase(const std::string& name, const char* stage, const std::string& part, Graph graph,
                          int calls = 1) {
  PhaseRequest request{name, stage, part, calls, {}};
  request.ways.push_back({1, std::move(graph), {}});
  return request;
}

// Numbers of passes that a batch can be cut into evenly, halving it each time, and one picture a pass.
std::vector<int> possible_passes(int64_t batch) {
  std::vector<int> passes;
  for (int64_t n = 1; n <= batch; n *= 2) {
    if (batch % n == 0) passes.push_back(static_cast<int>(n));
  }
  if (passes.back() != batch) passes.push_back(static_cast<int>(batch));
  return passes;
}

// Adds timesteps, prepare and step, in all their ways.
void add_denoising(const Request& request, const ModelDescription& model, const PlannedRun& run,
                   std::vector<PhaseRequest>& phases) {
  PhaseRequest timesteps{phase::kTimesteps, "denoise", "unet", 1, {}};
  PhaseRequest prepare{phase::kPrepare, "denoise", "unet", 1, {}};
  PhaseRequest step{phase::kStep, "denoise", "unet", run.calls(), {}};
  UnetRequest unet;
  unet.height = request.height / model.latent_factor;
  unet.width = request.width / model.latent_factor;
  unet.context_length = run.chunks() * model.text_positions();
  for (const int passes : possible_passes(request.model_batch())) {
    unet.batch = request.model_batch() / passes;
    HoistedGraphs parts = hoist(ready(unet_graph(model, unet), request.precision), run.calls());
    const bool has_timesteps = !parts.timesteps.nodes().empty();
    step.ways.push_back(step_way(parts, passes, static_cast<int>(phases.size())));
    if (has_timesteps) timesteps.ways.push_back({1, std::move(parts.timesteps), {}});
    if (!parts.request.nodes().empty()) prepare.ways.push_back({passes, std::move(parts.request), {}});
  }
  for (PhaseRequest* request_of : {&timesteps, &prepare, &step}) {
    if (!request_of->ways.empty()) phases.push_back(std::move(*request_of));
  }
}

}  // namespace

std::vector<PhaseRequest> phase_requests(const Request& request, const ModelDescription& model,
                                         const PlannedRun& run) {
  if (model.video) return clip_phase_requests(request, *model.video, run);
  std::vector<PhaseRequest> phases;
  // Text encoders stay in F32: they run once and everything follows from them.
  const int64_t text_chunks = run.chunks() * (request.guided() ? 2 : 1);
  for (size_t i = 0; i < model.text_encoders.size(); ++i) {
    const TextEncoder& encoder = model.text_encoders[i];
    Graph graph = text_encoder_graph(encoder, encoder.request(text_chunks, request.clip_skip - 1));
    phases.push_back(simple_phase(text_phase(i), "encode", encoder.part, ready(std::move(graph), DType::kF32),
                                  static_cast<int>(run.prompts.size())));
  }
  if (!request.image.empty()) {
    phases.push_back(
        simple_phase(phase::kEncodeImage, "encode", "vae",
                     ready(vae_encoder_graph(model, {1, request.height, request.width}), request.precision)));
  }
  add_denoising(request, model, run, phases);
  const PictureSize latents{1, request.height / model.latent_factor, request.width / model.latent_factor};
  phases.push_back(simple_phase(phase::kDecode, "decode", "vae",
                                ready(vae_decoder_graph(model, latents), request.precision),
                                static_cast<int>(request.batch)));
  return phases;
}

}  // namespace snug
