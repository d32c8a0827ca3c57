// How a family makes its conditioning out of text encoders: one, or two whose states stand beside each other
// along the channels and of which one also sums up the prompt in a vector, as in Stable Diffusion XL. Filled
// in by describe_model.cc; what the encoders run is model_graphs.h's, what becomes of it
// pipeline/encode_text.cc's.
#pragma once

#include <memory>
#include <string>

#include "models/clip_text/clip_text.h"
#include "models/clip_text/config.h"
#include "weights/weight_index.h"

namespace snug {

struct TextEncoder {
  std::string part;       // "text_encoder", "text_encoder_2"
  std::string tokenizer;  // its part: "tokenizer", "tokenizer_2"
  ClipTextConfig config;
  std::shared_ptr<const WeightIndex> weights;  // never null
  ClipStates states = ClipStates::kNormed;
  bool pooled = false;         // gives the prompt's vector as well
  bool second_prompt = false;  // takes a request's second prompt where it has one
  std::string padding;         // of a tokenizer that is borrowed; empty: its own

  // Layers that may be left out at most, so that one remains.
  int64_t most_skipped() const { return config.layers - 1 - (states == ClipStates::kPenultimate ? 1 : 0); }
  ClipTextRequest request(int64_t chunks, int64_t skipped_layers) const {
    return {.chunks = chunks, .skipped_layers = skipped_layers, .states = states, .pooled = pooled};
  }
};

}  // namespace snug
