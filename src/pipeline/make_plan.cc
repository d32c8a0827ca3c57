#include "pipeline/make_plan.h"

#include <algorithm>

#include "base/parallel.h"
#include "base/process_memory.h"
#include "base/units.h"
#include "graph/passes/hoist.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/model_graphs.h"
#include "plan/planner.h"
#include "text/prompt_syntax.h"

namespace snug {
namespace {

// Pages that come in while running and belong to nothing above: library code and constants as they are first
// used, the heap's slack, a worker's stack. Measured with `tests/footprint_test`; see docs/memory.md.
constexpr uint64_t kLibraryPagesBytes = 20 * kMiB;
constexpr uint64_t kWorkerBytes = 256 * kKiB;

Graph ready(Graph graph, DType precision) { return set_precision(run_passes(std::move(graph)), precision); }

PhaseRequest simple_phase(const char* name, const char* stage, const char* part, Graph graph, int calls = 1) {
  return {name, stage, part, std::move(graph), calls, {}};
}

// Adds timesteps, prepare and step.
void add_denoising(const ModelDescription& model, const Request& request, const PlannedRun& run,
                   std::vector<PhaseRequest>& phases) {
  UnetRequest unet;
  unet.batch = request.model_batch();
  unet.height = request.height / model.latent_factor;
  unet.width = request.width / model.latent_factor;
  unet.context_length = static_cast<int64_t>(run.positive.ids.size()) * model.text.positions;
  HoistedGraphs parts = hoist(ready(unet_graph(model, unet), request.precision), run.calls());
  int timesteps = -1;
  int prepare = -1;
  if (!parts.timesteps.nodes().empty()) {
    timesteps = static_cast<int>(phases.size());
    phases.push_back(simple_phase(phase::kTimesteps, "denoise", "unet", std::move(parts.timesteps)));
  }
  if (!parts.request.nodes().empty()) {
    prepare = static_cast<int>(phases.size());
    phases.push_back(simple_phase(phase::kPrepare, "denoise", "unet", std::move(parts.request)));
  }
  PhaseRequest step = simple_phase(phase::kStep, "denoise", "unet", std::move(parts.step), run.calls());
  for (const HoistedInput& hoisted : parts.hoisted) {
    step.links.push_back({hoisted.step_input, hoisted.from_timesteps ? timesteps : prepare,
                          hoisted.output_index, hoisted.from_timesteps});
  }
  phases.push_back(std::move(step));
}

// What the pipeline's own stages hold outside the arena at their fullest.
uint64_t host_bytes(const Request& request, const ModelDescription& model, const PlannedRun& run) {
  const int64_t pixels = request.width * request.height;
  const int64_t latents =
      request.batch * model.latent_channels * pixels / (model.latent_factor * model.latent_factor);
  const int64_t conditioning = request.model_batch() * static_cast<int64_t>(run.positive.ids.size()) *
                               model.text.positions * model.text.hidden_size * 4;
  // Latents, model input (both halves), model output, guided output, noise of the start.
  int64_t bytes = 2 * conditioning + latents * 4 * 8 + run.sampler->memory_bytes(latents);
  // Decoded pictures in float, then as bytes, then encoded (never larger than raw by more than a row's
  // worth).
  bytes += request.batch * pixels * 3 * 4 + pixels * 3 * 3;
  if (!request.image.empty()) bytes += pixels * 3 * 4 + 3 * latents * 4;
  if (!request.dump.empty()) bytes += 2 * (run.calls() * latents * 4 + request.batch * pixels * 3 * 4);
  return static_cast<uint64_t>(bytes);
}

void read_prompts(const Request& request, const Model& model, PlannedRun& run) {
  run.positive = make_prompt_chunks(model.tokenizer, parse_prompt(request.prompt), request.long_prompt);
  if (!request.guided()) return;
  run.negative =
      make_prompt_chunks(model.tokenizer, parse_prompt(request.negative_prompt), request.long_prompt);
  equalize_chunk_counts(model.tokenizer, &run.positive, &run.negative);
}

}  // namespace

PlannedRun make_plan(const Request& request, const Model& model, const Backend& backend) {
  const ModelDescription& description = model.description;
  PlannedRun run;
  run.kernels = std::make_unique<KernelSet>(backend);
  run.sampler = make_sampler(request.sampler, static_cast<int>(request.steps));
  run.first_call = request.image.empty() ? 0 : run.sampler->first_call(request.strength);
  read_prompts(request, model, run);

  std::vector<PhaseRequest> phases;
  const ClipTextRequest text{static_cast<int64_t>(run.positive.ids.size() + run.negative.ids.size()),
                             request.clip_skip - 1};
  // The text encoder stays in F32: it runs once and everything follows from it.
  phases.push_back(simple_phase(phase::kEncodeText, "encode", "text_encoder",
                                ready(text_encoder_graph(description, text), DType::kF32)));
  if (!request.image.empty()) {
    phases.push_back(simple_phase(
        phase::kEncodeImage, "encode", "vae",
        ready(vae_encoder_graph(description, {1, request.height, request.width}), request.precision)));
  }
  add_denoising(description, request, run, phases);
  const PictureSize latents{1, request.height / description.latent_factor,
                            request.width / description.latent_factor};
  phases.push_back(simple_phase(phase::kDecode, "decode", "vae",
                                ready(vae_decoder_graph(description, latents), request.precision),
                                static_cast<int>(request.batch)));

  Footprint footprint;
  footprint.host_bytes = host_bytes(request, description, run);
  run.plan = make_plan(std::move(phases), *run.kernels, footprint);
  run.plan.process_bytes = process_memory().resident_bytes + kLibraryPagesBytes +
                           kWorkerBytes * static_cast<uint64_t>(thread_count());
  return run;
}

}  // namespace snug
