// The graphs of a described model, each for one exact size: the only place that knows which builder a
// configuration belongs to. Called by pipeline/make_plan and by `snug inspect`.
// Each throws missing_tensor and shape_mismatch, naming file and tensor.
#pragma once

#include <cstdint>

#include "graph/graph.h"
#include "models/clip_text/clip_text.h"
#include "models/describe_model.h"
#include "models/picture_size.h"
#include "models/unet/unet.h"

namespace snug {

// Inputs and outputs: clip_text/clip_text.h.
Graph text_encoder_graph(const TextEncoder& encoder, const ClipTextRequest& request);
// unet/unet.h.
Graph unet_graph(const ModelDescription& model, const UnetRequest& request);
// latents [B,C,h,w], divided by the scaling factor → image [B,3,H,W].
Graph vae_decoder_graph(const ModelDescription& model, const PictureSize& latents);
// image [B,3,H,W] → what encoder_output says, before scaling.
Graph vae_encoder_graph(const ModelDescription& model, const PictureSize& image);

enum class EncoderOutput {
  kMoments,  // "moments" [B,2C,h,w], mean and log variance of a distribution to draw from
  kLatents,  // "latents" [B,C,h,w]
};
EncoderOutput encoder_output(const ModelDescription& model);

// Whether each part has every tensor in its shape; a few milliseconds, reads no weights.
void check_weights(const ModelDescription& model);

// Parameters that the graphs use, each tensor once.
struct ParameterCounts {
  int64_t text_encoders = 0;
  int64_t unet = 0;
  int64_t vae = 0;  // encoder and decoder
};
ParameterCounts count_parameters(const ModelDescription& model);

}  // namespace snug
