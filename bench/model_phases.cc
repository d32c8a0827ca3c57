#include "bench/model_phases.h"

#include <utility>

#include "graph/passes/hoist.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/autoencoder_wan/autoencoder_wan.h"
#include "models/unet/unet.h"
#include "models/wan_transformer/wan_transformer.h"
#include "pipeline/step_way.h"

namespace snug::bench {
namespace {

using Phases = std::vector<PhaseRequest>;

constexpr CallInfo kCalls[] = {
    {CallKind::kUnetStep, "sd15-step", "SD1.5 UNet step, batch 2, 64x64 latents", "sd15.unet", 5},
    {CallKind::kDecode, "sd15-decode", "SD1.5 decode to 512x512", "sd15.vae", 5},
    {CallKind::kSdxlStep, "sdxl-step", "SDXL UNet step, 128x128 latents", "sdxl.unet", 3},
    {CallKind::kWanBlock, "wan-block", "Wan 2.2 5B, one block, 704x1280x121", "wan22_ti2v_5b.transformer", 1},
    {CallKind::kWan21Decode, "wan21-decode", "Wan 2.1 decode to 256x448x9", "wan21.vae", 3},
    {CallKind::kWan22Decode, "wan22-decode", "Wan 2.2 5B decode to 256x256x9", "wan22.vae", 3}};

// One way to run it: the whole batch at once.
PhaseRequest whole(const char* name, const char* stage, Graph graph) {
  PhaseRequest request{name, stage, "part", 1, {}};
  request.ways.push_back({1, std::move(graph), {}});
  return request;
}

Graph ready(Graph graph, DType precision) { return set_precision(run_passes(std::move(graph)), precision); }

// What runs once, where there is any, and the step, which has what they made.
Phases hoisted_phases(const Graph& graph, int calls) {
  HoistedGraphs parts = hoist(graph, calls);
  Phases phases;
  PhaseRequest step{"step", "denoise", "part", 1, {}};
  step.ways.push_back(step_way(parts, 1, 0));
  if (!parts.timesteps.nodes().empty())
    phases.push_back(whole("timesteps", "denoise", std::move(parts.timesteps)));
  if (!parts.request.nodes().empty()) phases.push_back(whole("prepare", "denoise", std::move(parts.request)));
  phases.push_back(std::move(step));
  return phases;
}

Phases unet_phases(const RandomModelPart& part, DType precision, int calls, const UnetRequest& request) {
  constexpr int64_t kAddedNumbers = 6;  // SDXL: two sizes and a corner
  UnetConfig config = parse_unet_config(part.config);
  if (config.added.present()) config.added.numbers = kAddedNumbers;
  Graph graph("unet");
  GraphBuilder builder(graph);
  build_unet(builder, config, WeightScope(*part.weights), request);
  return hoisted_phases(ready(std::move(graph), precision), calls);
}

// With the ends of the model, which at its size are less than a hundredth of the block.
Phases wan_block_phases(const RandomModelPart& part, DType precision, int calls) {
  WanTransformerConfig config = parse_wan_transformer_config(part.config);
  config.layers = 1;
  WanTransformerRequest request;
  request.frames = 31;
  request.height = 44;
  request.width = 80;
  Graph graph("transformer");
  GraphBuilder builder(graph);
  build_wan_transformer(builder, config, WeightScope(*part.weights), request);
  return hoisted_phases(ready(std::move(graph), precision), calls);
}

Phases decode_phases(const RandomModelPart& part, DType precision) {
  Graph graph("vae");
  GraphBuilder builder(graph);
  build_vae_decoder(builder, parse_autoencoder_kl_config(part.config), WeightScope(*part.weights),
                    {1, 64, 64});
  Phases phases;
  phases.push_back(whole("decode", "decode", ready(std::move(graph), precision)));
  return phases;
}

// Frame by frame, as clips are decoded.
Phases clip_decode_phases(const RandomModelPart& part, DType precision, const ClipSize& latents) {
  Graph graph("vae");
  GraphBuilder builder(graph);
  build_wan_decoder(builder, parse_autoencoder_wan_config(part.config), WeightScope(*part.weights), latents);
  graph = ready(std::move(graph), precision);
  graph.set_streamed(true);
  Phases phases;
  phases.push_back(whole("decode", "decode", std::move(graph)));
  return phases;
}

Phases phases_of(CallKind kind, const RandomModelPart& part, DType precision, int calls) {
  switch (kind) {
    case CallKind::kUnetStep: return unet_phases(part, precision, calls, {2, 64, 64, 77, 1});
    case CallKind::kSdxlStep: return unet_phases(part, precision, calls, {1, 128, 128, 77, 1});
    case CallKind::kWanBlock: return wan_block_phases(part, precision, calls);
    case CallKind::kWan21Decode: return clip_decode_phases(part, precision, {3, 32, 56});
    case CallKind::kWan22Decode: return clip_decode_phases(part, precision, {3, 16, 16});
    case CallKind::kDecode: break;
  }
  return decode_phases(part, precision);
}

}  // namespace

std::span<const CallInfo> call_list() { return kCalls; }

const CallInfo& call_info(CallKind kind) { return kCalls[static_cast<size_t>(kind)]; }

std::vector<PhaseRequest> model_call_phases(CallKind kind, const RandomModelPart& part, DType precision,
                                            int calls) {
  Phases phases = phases_of(kind, part, precision, calls);
  phases.back().calls = calls;
  return phases;
}

}  // namespace snug::bench
