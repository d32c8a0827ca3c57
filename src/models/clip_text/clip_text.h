// The text encoder of CLIP (Radford et al., 2021): a causal transformer over one chunk of tokens. Weight
// names as in transformers' CLIPTextModel, with or without "text_model." in front.
#pragma once

#include "graph/builder.h"
#include "models/clip_text/config.h"

namespace snug {

struct ClipTextRequest {
  int64_t chunks = 1;  // B; a long prompt is several chunks, a negative prompt more
  // Layers left out before the final norm: 0 takes the last layer's output. This is A1111's "Clip skip"
  // less one, and diffusers' clip_skip.
  int64_t skipped_layers = 0;
};

// input_ids I32 [B,positions] → conditioning [B,positions,hidden_size], after the final norm. Ids must lie
// within the vocabulary (checked where they are made). Throws invalid_argument when as many layers would be
// skipped as there are; missing_tensor, shape_mismatch.
void build_clip_text(GraphBuilder& b, const ClipTextConfig& config, const WeightScope& w,
                     const ClipTextRequest& request);

// The place of the model proper: under "text_model" where the file has that level.
WeightScope clip_text_scope(const WeightScope& w);

}  // namespace snug
