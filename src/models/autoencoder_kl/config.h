// Configuration of diffusers' AutoencoderKL, the autoencoder of Stable Diffusion.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/weight_scope.h"
#include "models/config_reader.h"

namespace snug {

struct AutoencoderKlConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t latent_channels = 4;
  std::vector<int64_t> channels;  // of each level, from the picture's full size inwards
  int64_t layers = 2;             // ResNet blocks of an encoder level; a decoder level has one more
  int64_t groups = 32;
  bool mid_attention = true;
  bool quant_conv = true;       // 1x1 convolution behind the encoder
  bool post_quant_conv = true;  // and before the decoder
  // The latents that the UNet sees are this times the encoder's.
  float scaling_factor = 0.18215F;

  // Pixels per latent along each side.
  int64_t factor() const { return int64_t{1} << (channels.size() - 1); }
};

// vae/config.json. Throws bad_config, unsupported_architecture.
AutoencoderKlConfig parse_autoencoder_kl_config(const ConfigText& text);

// From the tensors of a checkpoint that has no config: 32 groups and SD1.x's scaling factor.
// Throws missing_tensor, unsupported_architecture, bad_config.
AutoencoderKlConfig infer_autoencoder_kl_config(const WeightScope& w);

// What is wrong with the numbers together, empty when nothing is.
std::string autoencoder_kl_config_fault(const AutoencoderKlConfig& config);

}  // namespace snug
