#include "models/video_model.h"

#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "models/umt5/umt5.h"
#include "models/video_pictures.h"

namespace snug {
namespace {

// Channels of a picture's mask: one for each frame that a latent frame stands for.
int64_t mask_channels(const VideoModel& model) { return model.frame_step(); }

ConfigText config_of(const CheckpointPart& part) { return {part.config_file, part.config_text}; }

[[noreturn]] void contradict(const Checkpoint& checkpoint, std::string problem) {
  throw Error(ErrorCode::kBadConfig, std::move(problem), "use parts of the same model")
      .in_file(checkpoint.name);
}

void describe_experts(const Checkpoint& checkpoint, VideoModel& model) {
  const CheckpointPart& first = checkpoint.require("transformer");
  model.transformer = parse_wan_transformer_config(config_of(first));
  model.experts.push_back(first.weights);
  const auto boundary = checkpoint.numbers.find("boundary_ratio");
  const CheckpointPart* second = checkpoint.find("transformer_2");
  if (boundary == checkpoint.numbers.end()) {
    if (second != nullptr && second->weights != nullptr) {
      contradict(checkpoint, "has two transformers and no boundary_ratio that says which step is whose");
    }
    return;
  }
  model.boundary_ratio = boundary->second;
  if (!(model.boundary_ratio >= 0 && model.boundary_ratio <= 1)) {
    throw Error(ErrorCode::kBadConfig,
                fmt::format("boundary_ratio is {:g}, outside 0 to 1", model.boundary_ratio),
                "use the configuration that was published with these weights")
        .in_file(checkpoint.name);
  }
  if (second == nullptr || second->weights == nullptr) {
    throw Error(ErrorCode::kMissingFile,
                "boundary_ratio divides the steps between two transformers, and transformer_2 is absent",
                "download the model again, with all of its files")
        .in_file(checkpoint.name);
  }
  model.experts.push_back(second->weights);
}

void check_parts_agree(const Checkpoint& checkpoint, const VideoModel& model) {
  if (model.transformer.text_channels != model.text.channels) {
    contradict(checkpoint,
               fmt::format("the transformer takes a text of {} channels, the text encoder gives {}",
                           model.transformer.text_channels, model.text.channels));
  }
  const int64_t latents = model.vae.latent_channels;
  const int64_t beside = latents + mask_channels(model) + latents;  // latents, a picture's mask and latents
  const int64_t in = model.transformer.in_channels;
  if (model.transformer.out_channels != latents || (in != latents && in != beside)) {
    contradict(
        checkpoint,
        fmt::format("the transformer takes {} and gives {} channels, the autoencoder's latents have {}", in,
                    model.transformer.out_channels, latents));
  }
}

}  // namespace

VideoModel describe_video_model(const Checkpoint& checkpoint) {
  VideoModel model;
  const CheckpointPart& text = checkpoint.require("text_encoder");
  model.text = parse_umt5_config(config_of(text));
  model.text_weights = text.weights;
  const CheckpointPart& vae = checkpoint.require("vae");
  model.vae = parse_autoencoder_wan_config(config_of(vae));
  model.vae_weights = vae.weights;
  describe_experts(checkpoint, model);
  const auto expands = checkpoint.flags.find("expand_timesteps");
  model.first_frame_has_time = expands != checkpoint.flags.end() && expands->second;
  check_parts_agree(checkpoint, model);
  return model;
}

Graph video_text_graph(const VideoModel& model, int64_t tokens) {
  Graph graph("text_encoder");
  GraphBuilder b(graph);
  build_umt5_from_rows(b, model.text, WeightScope(*model.text_weights), tokens);
  return graph;
}

Graph video_transformer_graph(const VideoModel& model, size_t expert, const WanTransformerRequest& request) {
  Graph graph("transformer");
  GraphBuilder b(graph);
  build_wan_transformer(b, model.transformer, WeightScope(*model.experts[expert]), request);
  return graph;
}

Graph video_encoder_graph(const VideoModel& model, const ClipSize& clip) {
  Graph graph("vae_encoder");
  GraphBuilder b(graph);
  build_wan_encoder(b, model.vae, WeightScope(*model.vae_weights), clip);
  return graph;
}

Graph video_picture_encoder_graph(const VideoModel& model, const ClipSize& clip, GivenFrames given) {
  if (clip.frames == 1) return video_encoder_graph(model, clip);
  Graph graph("vae_encoder");
  GraphBuilder b(graph);
  build_wan_picture_encoder(b, model.vae, WeightScope(*model.vae_weights), clip, given);
  return graph;
}

Graph video_decoder_graph(const VideoModel& model, const ClipSize& latents) {
  Graph graph("vae_decoder");
  GraphBuilder b(graph);
  build_wan_decoder(b, model.vae, WeightScope(*model.vae_weights), latents);
  return graph;
}

}  // namespace snug
