// Configuration of a CLIP text encoder: transformers' CLIPTextModel, as in SD1.x (quick_gelu) and SD2.x
// (gelu; its config.json states one layer less than OpenCLIP has, because SD2.x conditions on the
// penultimate one), or CLIPTextModelWithProjection, as in SDXL beside the former.
#pragma once

#include <cstdint>

#include "graph/op.h"
#include "graph/weight_scope.h"
#include "models/config_reader.h"

namespace snug {

struct ClipTextConfig {
  int64_t vocabulary = 49408;
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t positions = 77;  // tokens of one chunk
  Activation activation = Activation::kQuickGelu;
  float epsilon = 1e-5F;
  int64_t projection = 0;  // channels of the prompt's vector; 0: there is none
};

// text_encoder/config.json. Throws bad_config, unsupported_architecture.
ClipTextConfig parse_clip_text_config(const ConfigText& text);

// From the tensors of a checkpoint that has no config: heads of 64 channels, the activation by the width
// (1024 and more: gelu), of which SD2.x, of 1024, drops the last layer. Throws missing_tensor,
// unsupported_architecture.
ClipTextConfig infer_clip_text_config(const WeightScope& w);

}  // namespace snug
