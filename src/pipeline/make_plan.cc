#include "pipeline/make_plan.h"

#include <algorithm>
#include <set>
#include <utility>

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

// Pages that come in while running and belong to nothing that is computed: oneDNN's code and constants as
// they are first used (2.2-2.6 MiB), the heap between and after the kernels (0.6 MiB), the picture's encoder.
// Measured at 3.0-3.4 MiB from 64x64 to 768x512, in F32 and BF16; tests/footprint_test.cc watches the sum.
constexpr uint64_t kLibraryPagesBytes = 4 * kMiB;
// The part of a worker's stack and of its heap that it touches.
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

// PNG works on rows, but its output may grow by doubling; JPEG keeps the coefficients of all colours, WebP
// the picture as ARGB and YUV.
int64_t encoder_bytes_per_pixel(PictureFormat format) { return format == PictureFormat::kPng ? 3 : 6; }

// What the pipeline's own stages hold outside the arena, at the fuller of its two heights: while denoising,
// and when pictures are written. A start picture and given latents are there already when the plan is made,
// so they count as the process's.
uint64_t host_bytes(const Request& request, const ModelDescription& model, const PlannedRun& run) {
  const int64_t pixels = request.width * request.height;
  const int64_t elements =
      request.batch * model.latent_channels * pixels / (model.latent_factor * model.latent_factor);
  const int64_t latents = 4 * elements;
  const int64_t halves = request.guided() ? 2 : 1;
  const int64_t conditioning = 4 * request.model_batch() * static_cast<int64_t>(run.positive.ids.size()) *
                               model.text.positions * model.text.hidden_size;
  // Held from here to the end: the conditioning, the sampler's history, latents, and what a dump records.
  const int64_t trace = request.dump.empty() ? 0 : (run.calls() + 1) * latents;
  const int64_t kept = conditioning + run.sampler->memory_bytes(elements) + latents + trace;
  // Start noise, the model's input and output; the picture's latents; the latents outside a mask.
  const int64_t denoising =
      (1 + 2 * halves + (request.image.empty() ? 0 : 1) + (request.mask.empty() ? 0 : 1)) * latents;
  // Pictures as floats; one of them as bytes and in its encoder; all that are kept in memory, encoded, none
  // larger than its bytes.
  const int64_t images = request.batch * pixels * 3 * 4;
  const int64_t encoding = pixels * (3 + encoder_bytes_per_pixel(request.format)) +
                           (request.output.empty() ? request.batch : 1) * pixels * 3;
  // A dump has copies of all that it writes, and the file in memory, which grew by doubling.
  const int64_t dump = request.dump.empty() ? 0 : 3 * (trace + images + request.batch * pixels * 3);
  return static_cast<uint64_t>(kept + std::max(denoising, images + std::max(encoding, dump)));
}

// Weights in the program's own pages (the embedded model's): reading makes them resident beside the arena.
uint64_t program_weight_bytes(const Plan& plan, const ModelDescription& model) {
  uint64_t bytes = 0;
  std::set<std::pair<const WeightIndex*, std::string>> seen;
  for (const Phase& phase : plan.phases) {
    const WeightIndex& weights = phase.part == "unet"  ? *model.unet_weights
                                 : phase.part == "vae" ? *model.vae_weights
                                                       : *model.text_weights;
    for (const Instruction& instruction : phase.instructions) {
      const auto* load = std::get_if<LoadWeight>(&instruction);
      if (load == nullptr) continue;
      const std::string& name = phase.graph.value(load->value).name;
      const WeightEntry& entry = weights.entry(name);
      if (weights.files()[entry.file]->is_memory() && seen.emplace(&weights, name).second)
        bytes += entry.bytes;
    }
  }
  return bytes;
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
  run.plan.process_bytes = process_memory().resident_bytes + program_weight_bytes(run.plan, description) +
                           kLibraryPagesBytes + kWorkerBytes * static_cast<uint64_t>(thread_count());
  return run;
}

}  // namespace snug
