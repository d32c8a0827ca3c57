// The text encoder of CLIP (Radford et al., 2021): a causal transformer over one chunk of tokens. Weight
// names as in transformers' CLIPTextModel and CLIPTextModelWithProjection, with or without "text_model." in
// front.
#pragma once

#include "graph/builder.h"
#include "models/clip_text/config.h"

namespace snug {

// Which states the conditioning is made of.
enum class ClipStates {
  kNormed,       // the last layer's, after the final norm: Stable Diffusion 1.x and 2.x
  kPenultimate,  // those that the last layer takes, as they are: XL
};

struct ClipTextRequest {
  int64_t chunks = 1;  // B; a long prompt is several chunks, a negative prompt more
  // Layers left out behind the states that would be taken otherwise. This is A1111's "Clip skip" less one,
  // and diffusers' clip_skip.
  int64_t skipped_layers = 0;
  ClipStates states = ClipStates::kNormed;
  bool pooled = false;
};

// input_ids I32 [B,positions] → conditioning [B,positions,hidden_size]. Ids must lie within the vocabulary
// (checked where they are made). With `pooled` also projected [B,positions,projection]: the last layer's
// states, whatever is skipped, after the final norm and the projection; the row of a chunk's end token is
// what CLIP takes for the text as a whole. Which row that is the prompt decides, and the graph is the same
// for all. Throws invalid_argument when no layer would remain; missing_tensor, shape_mismatch.
void build_clip_text(GraphBuilder& b, const ClipTextConfig& config, const WeightScope& w,
                     const ClipTextRequest& request);

// The place of the model proper: under "text_model" where the file has that level.
WeightScope clip_text_scope(const WeightScope& w);

}  // namespace snug
