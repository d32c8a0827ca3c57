#include "pipeline/clip_phases.h"

#include <utility>

#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/video_pictures.h"
#include "pipeline/phase_names.h"
#include "pipeline/step_way.h"

namespace snug {
namespace {

Graph ready(Graph graph, DType precision) { return set_precision(run_passes(std::move(graph)), precision); }

void add_phase(const std::string& name, const char* stage, const std::string& part, Graph graph,
               std::vector<PhaseRequest>& phases) {
  PhaseRequest request{name, stage, part, 1, {}};
  request.ways.push_back({1, std::move(graph), {}});
  phases.push_back(std::move(request));
}

// One expert's: what depends on its timesteps alone, what on nothing that changes, and its steps.
struct ExpertPhases {
  PhaseRequest timesteps, prepare, step;
};

ExpertPhases phases_of(const ExpertCalls& calls) {
  const std::string part = expert_part(calls.expert);
  return {{expert_phase(phase::kTimesteps, calls.expert), "denoise", part, 1, {}},
          {expert_phase(phase::kPrepare, calls.expert), "denoise", part, 1, {}},
          {expert_phase(phase::kStep, calls.expert), "denoise", part, calls.count, {}}};
}

WanTransformerRequest transformer_request(const Request& request, const VideoModel& model, int passes) {
  WanTransformerRequest wanted;
  wanted.batch = request.model_batch() / passes;
  wanted.frames = model.latent_frames(request.frames);
  wanted.height = request.height / model.vae.factor();
  wanted.width = request.width / model.vae.factor();
  wanted.text_length = model.text_length;
  wanted.first_frame_given = !request.image.empty() && model.first_frame_has_time;
  return wanted;
}

// All experts' phases that run once come before the first step, which may then run without a pause.
void add_denoising(const Request& request, const VideoModel& model, const PlannedRun& run,
                   std::vector<PhaseRequest>& phases) {
  std::vector<PhaseRequest> steps;
  for (const ExpertCalls& calls : expert_calls(model, run)) {
    ExpertPhases own = phases_of(calls);
    const int timesteps_at = static_cast<int>(phases.size());
    bool has_timesteps = false;
    for (const int64_t passes : {int64_t{1}, request.model_batch()}) {
      if (passes == 1 && !own.step.ways.empty()) break;
      const WanTransformerRequest wanted = transformer_request(request, model, static_cast<int>(passes));
      Graph graph = ready(video_transformer_graph(model, calls.expert, wanted), request.precision);
      HoistedGraphs parts = hoist(graph, calls.count);
      has_timesteps = !parts.timesteps.nodes().empty();
      own.step.ways.push_back(step_way(parts, static_cast<int>(passes), timesteps_at));
      if (own.timesteps.ways.empty() && has_timesteps)
        own.timesteps.ways.push_back({1, std::move(parts.timesteps), {}});
      // What the first frame's time gives is one row for all samples, in any number of passes.
      if (own.prepare.ways.empty() && !parts.request.nodes().empty())
        own.prepare.ways.push_back({1, std::move(parts.request), {}});
      if (request.model_batch() == 1) break;
    }
    for (PhaseRequest* once : {&own.timesteps, &own.prepare}) {
      if (!once->ways.empty()) phases.push_back(std::move(*once));
    }
    steps.push_back(std::move(own.step));
  }
  for (PhaseRequest& step : steps) phases.push_back(std::move(step));
}

}  // namespace

int64_t encoded_frames(const Request& request, const VideoModel& model) {
  return model.first_frame_has_time ? 1 : request.frames;
}

std::vector<ExpertCalls> expert_calls(const VideoModel& model, const PlannedRun& run) {
  const double boundary = model.boundary_ratio * run.sampler->config().num_train_timesteps;
  std::vector<ExpertCalls> all;
  for (int call = run.first_call; call < run.end_call; ++call) {
    const double time = run.sampler->timestep(call);
    const size_t expert = model.experts.size() > 1 && time < boundary ? 1 : 0;
    if (all.empty() || all.back().expert != expert) all.push_back({expert, call - run.first_call, 0});
    ++all.back().count;
  }
  return all;
}

std::vector<PhaseRequest> clip_phase_requests(const Request& request, const VideoModel& model,
                                              const PlannedRun& run) {
  std::vector<PhaseRequest> phases;
  // In F32, as it runs once and everything follows from it.
  for (size_t i = 0; i < run.clip_prompts.size(); ++i) {
    const auto tokens = static_cast<int64_t>(run.clip_prompts[i].ids.size());
    add_phase(text_phase(i), "encode", "text_encoder", ready(video_text_graph(model, tokens), DType::kF32),
              phases);
  }
  if (!request.image.empty()) {
    const ClipSize clip{encoded_frames(request, model), request.height, request.width};
    const GivenFrames given = request.last_image.empty() ? GivenFrames::kFirst : GivenFrames::kFirstAndLast;
    Graph encoder = ready(video_picture_encoder_graph(model, clip, given), request.precision);
    encoder.set_streamed(true);
    add_phase(phase::kEncodeImage, "encode", "vae", std::move(encoder), phases);
  }
  add_denoising(request, model, run, phases);
  const ClipSize latents{model.latent_frames(request.frames), request.height / model.vae.factor(),
                         request.width / model.vae.factor()};
  Graph decoder = ready(video_decoder_graph(model, latents), request.precision);
  decoder.set_streamed(true);
  add_phase(phase::kDecode, "decode", "vae", std::move(decoder), phases);
  return phases;
}

}  // namespace snug
