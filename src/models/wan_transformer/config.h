// Configuration of a Wan transformer: diffusers' WanTransformer3DModel, as in Wan 2.1 and 2.2 without an
// image encoder.
#pragma once

#include <cstdint>
#include <string>

#include "models/config_reader.h"

namespace snug {

struct WanTransformerConfig {
  int64_t in_channels = 16;  // 36 where a picture and its mask come beside the latents
  int64_t out_channels = 16;
  int64_t patch = 2;  // latents of a token along each side; one frame
  int64_t heads = 40;
  int64_t head_channels = 128;
  int64_t layers = 40;
  int64_t feed_forward_channels = 13824;
  int64_t text_channels = 4096;
  int64_t frequency_channels = 256;  // of the timestep's sinusoids
  float epsilon = 1e-6F;

  int64_t channels() const { return heads * head_channels; }
};

// transformer/config.json. Throws bad_config, unsupported_architecture.
WanTransformerConfig parse_wan_transformer_config(const ConfigText& text);

}  // namespace snug
