// Configuration of Wan's video autoencoders: diffusers' AutoencoderKLWan, as in Wan 2.1 and in Wan 2.2's 5B
// (is_residual, patches of pixels).
#pragma once

#include <cstdint>
#include <vector>

#include "models/config_reader.h"

namespace snug {

struct AutoencoderWanConfig {
  int64_t latent_channels = 16;
  int64_t encoder_channels = 96, decoder_channels = 96;   // of the level of full size
  std::vector<int64_t> multiples = {1, 2, 4, 4};          // of each level, from full size inwards
  std::vector<bool> halves_frames = {false, true, true};  // behind each level but the last
  int64_t layers = 2;                                     // ResNet blocks of an encoder level
  bool residual = false;                                  // levels have shortcuts round them
  int64_t patch = 1;                                      // pixels that are one along each side, as channels
  std::vector<float> latents_mean, latents_std;  // by channel: what the transformer sees is (z - mean) / std

  // Pixels, and frames, of a latent; the first frame has a latent frame of its own.
  int64_t factor() const { return patch << (multiples.size() - 1); }
  int64_t frame_factor() const;
};

// vae/config.json. Throws bad_config, unsupported_architecture.
AutoencoderWanConfig parse_autoencoder_wan_config(const ConfigText& text);

}  // namespace snug
