// A described video model (Wan 2.1, 2.2): its parts, and what sizes and lengths it can make. Filled in by
// describe_video_model; whether every tensor is there is checked by building the graphs (video_graphs below).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "graph/graph.h"
#include "models/autoencoder_wan/autoencoder_wan.h"
#include "models/umt5/config.h"
#include "models/wan_transformer/wan_transformer.h"
#include "weights/checkpoint.h"
#include "weights/weight_index.h"

namespace snug {

struct VideoModel {
  Umt5Config text;
  std::shared_ptr<const WeightIndex> text_weights;  // never null, like those below
  WanTransformerConfig transformer;
  // One, or two of which the first does the noisier steps.
  std::vector<std::shared_ptr<const WeightIndex>> experts;
  // A step at this share of the training's times, or above, is the first expert's; 0 with one.
  double boundary_ratio = 0;
  // A given picture is the first frame of the latents, with a time of its own (Wan 2.2's 5B).
  bool first_frame_has_time = false;
  AutoencoderWanConfig vae;
  std::shared_ptr<const WeightIndex> vae_weights;
  int64_t text_length = 512;  // rows of the conditioning, zeros behind the text

  // A given picture stands beside the latents, as channels of its own.
  bool takes_picture_beside() const { return transformer.in_channels > vae.latent_channels; }
  // Width and height are multiples of it, frames are one more than a multiple of that.
  int64_t size_step_px() const { return vae.factor() * transformer.patch; }
  int64_t frame_step() const { return vae.frame_factor(); }
  int64_t latent_frames(int64_t frames) const { return 1 + (frames - 1) / frame_step(); }
};

// Of a folder with the parts of a WanPipeline. Throws missing_file (an expert is absent), bad_config (a
// boundary outside 0 to 1, parts that contradict each other), unsupported_architecture, missing_tensor.
VideoModel describe_video_model(const Checkpoint& checkpoint);

// Graphs for one exact size; inputs and outputs as the builders say.
Graph video_text_graph(const VideoModel& model, int64_t tokens);
Graph video_transformer_graph(const VideoModel& model, size_t expert, const WanTransformerRequest& request);
Graph video_encoder_graph(const VideoModel& model, const ClipSize& clip);
Graph video_decoder_graph(const VideoModel& model, const ClipSize& latents);

}  // namespace snug
