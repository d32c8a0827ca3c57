// Configuration of a UMT5 text encoder: transformers' UMT5EncoderModel, as Wan has it (Chung et al., 2023,
// "UniMax"; Raffel et al., 2020, "T5").
#pragma once

#include <cstdint>

#include "graph/weight_scope.h"
#include "models/config_reader.h"

namespace snug {

struct Umt5Config {
  int64_t vocabulary = 256384;  // rows of the token table; the tokenizer may have fewer ids
  int64_t channels = 4096;      // d_model
  int64_t head_channels = 64;   // d_kv; heads times this need not be channels
  int64_t heads = 64;
  int64_t feed_forward = 10240;  // d_ff
  int64_t layers = 24;
  int64_t buckets = 32;        // of relative positions, half of them for keys behind their query
  int64_t max_distance = 128;  // from which on positions share the last bucket of their side
  float epsilon = 1e-6F;
};

// text_encoder/config.json. Throws bad_config, unsupported_architecture.
Umt5Config parse_umt5_config(const ConfigText& text);

// From the tensors of a checkpoint that has no config; what they leave open (max_distance, epsilon) is as in
// every published model. Throws missing_tensor, unsupported_architecture.
Umt5Config infer_umt5_config(const WeightScope& w);

}  // namespace snug
