// Configuration of diffusers' AutoencoderTiny (TAESD): small autoencoders for previews, for decoding with
// little memory, and of the embedded model.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/weight_scope.h"
#include "models/config_reader.h"

namespace snug {

struct AutoencoderTinyConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t latent_channels = 4;
  int64_t encoder_channels = 64;  // the same at every level
  int64_t decoder_channels = 64;
  std::vector<int64_t> encoder_blocks;  // of each level, from the picture inwards
  std::vector<int64_t> decoder_blocks;  // of each level, from the latents outwards
  // The latents that the UNet sees are this times the encoder's.
  float scaling_factor = 1;

  // Pixels per latent along each side.
  int64_t factor() const { return int64_t{1} << (decoder_blocks.size() - 1); }
};

// vae/config.json. Throws bad_config, unsupported_architecture.
AutoencoderTinyConfig parse_autoencoder_tiny_config(const ConfigText& text);

// From the tensors of a file that has no config; the scaling factor is TAESD's 1.
// Throws missing_tensor, unsupported_architecture.
AutoencoderTinyConfig infer_autoencoder_tiny_config(const WeightScope& w);

}  // namespace snug
