#include "models/model_graphs.h"

#include <initializer_list>
#include <set>
#include <string_view>

#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/autoencoder_tiny/autoencoder_tiny.h"

namespace snug {
namespace {

// Weights do not depend on the size; this is one that every level can halve.
PictureSize small_latents() { return {.batch = 1, .height = 8, .width = 8}; }

PictureSize small_image(const ModelDescription& model) {
  return {.batch = 1, .height = 8 * model.latent_factor, .width = 8 * model.latent_factor};
}

UnetRequest small_unet_request(const ModelDescription& model) {
  const int64_t size = int64_t{1} << model.unet.levels.size();
  return {.batch = 1, .height = size, .width = size, .context_length = model.text_positions()};
}

int64_t parameters_of(std::initializer_list<const Graph*> graphs) {
  std::set<std::pair<std::string_view, int64_t>> seen;  // tensors, and from which row on
  int64_t total = 0;
  for (const Graph* graph : graphs) {
    for (const Value& value : graph->values()) {
      if (value.kind != ValueKind::kWeight || !seen.insert({value.name, value.first_row}).second) continue;
      total += value.shape.elements();
    }
  }
  return total;
}

}  // namespace

Graph text_encoder_graph(const TextEncoder& encoder, const ClipTextRequest& request) {
  Graph graph(encoder.part);
  GraphBuilder b(graph);
  build_clip_text(b, encoder.config, WeightScope(*encoder.weights), request);
  return graph;
}

Graph unet_graph(const ModelDescription& model, const UnetRequest& request) {
  Graph graph("unet");
  GraphBuilder b(graph);
  build_unet(b, model.unet, WeightScope(*model.unet_weights), request);
  return graph;
}

Graph vae_decoder_graph(const ModelDescription& model, const PictureSize& latents) {
  Graph graph("vae_decoder");
  GraphBuilder b(graph);
  const WeightScope w(*model.vae_weights);
  if (const auto* tiny = std::get_if<AutoencoderTinyConfig>(&model.vae)) {
    build_tiny_decoder(b, *tiny, w, latents);
  } else {
    build_vae_decoder(b, std::get<AutoencoderKlConfig>(model.vae), w, latents);
  }
  return graph;
}

Graph vae_encoder_graph(const ModelDescription& model, const PictureSize& image) {
  Graph graph("vae_encoder");
  GraphBuilder b(graph);
  const WeightScope w(*model.vae_weights);
  if (const auto* tiny = std::get_if<AutoencoderTinyConfig>(&model.vae)) {
    build_tiny_encoder(b, *tiny, w, image);
  } else {
    build_vae_encoder(b, std::get<AutoencoderKlConfig>(model.vae), w, image);
  }
  return graph;
}

EncoderOutput encoder_output(const ModelDescription& model) {
  return std::holds_alternative<AutoencoderTinyConfig>(model.vae) ? EncoderOutput::kLatents
                                                                  : EncoderOutput::kMoments;
}

void check_weights(const ModelDescription& model) { count_parameters(model); }

namespace {

// Weights do not depend on size and length: the smallest that every level can halve.
ParameterCounts count_video_parameters(const VideoModel& model) {
  const Graph text = video_text_graph(model, 1);
  WanTransformerRequest request;
  request.frames = 1;
  request.height = request.width = model.transformer.patch;
  ParameterCounts counts;
  counts.text_encoders = parameters_of({&text});
  for (size_t expert = 0; expert < model.experts.size(); ++expert) {
    const Graph transformer = video_transformer_graph(model, expert, request);
    counts.unet += parameters_of({&transformer});
  }
  const int64_t edge = model.vae.factor();
  const Graph encoder = video_encoder_graph(model, {1 + model.frame_step(), edge, edge});
  const Graph decoder = video_decoder_graph(model, {2, 1, 1});
  counts.vae = parameters_of({&encoder, &decoder});
  return counts;
}

}  // namespace

ParameterCounts count_parameters(const ModelDescription& model) {
  if (model.video) return count_video_parameters(*model.video);
  int64_t text_encoders = 0;
  for (const TextEncoder& encoder : model.text_encoders) {
    const Graph text = text_encoder_graph(encoder, encoder.request(1, 0));
    text_encoders += parameters_of({&text});
  }
  const Graph unet = unet_graph(model, small_unet_request(model));
  const Graph encoder = vae_encoder_graph(model, small_image(model));
  const Graph decoder = vae_decoder_graph(model, small_latents());
  return {.text_encoders = text_encoders,
          .unet = parameters_of({&unet}),
          .vae = parameters_of({&encoder, &decoder})};
}

}  // namespace snug
