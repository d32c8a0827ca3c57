// Configuration of diffusers' UNet2DConditionModel as SD1.x and SD2.x use it: any number of levels, each with
// or without cross-attention, with convolutions or matrices as projections.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/weight_scope.h"
#include "models/config_reader.h"

namespace snug {

struct UnetLevel {
  int64_t channels = 0;
  int64_t layers = 0;              // ResNet blocks on the way down; one more on the way up
  int64_t heads = 0;               // of its attention
  int64_t transformer_layers = 1;  // transformer blocks after each ResNet block
  bool attention_down = false;
  bool attention_up = false;
};

struct UnetConfig {
  int64_t in_channels = 4;
  int64_t out_channels = 4;
  std::vector<UnetLevel> levels;  // from the full size inwards; the middle block has the last one's widths
  int64_t cross_attention_dim = 768;
  int64_t groups = 32;
  float epsilon = 1e-5F;
  bool linear_projection = false;  // SD2.x; else 1x1 convolutions round each transformer
  bool pad_end_only = false;       // downsamplers pad right and bottom only (downsample_padding 0)
  bool cosines_first = true;
  float frequency_shift = 0;
  int64_t sample_size = 0;  // latent height and width of the training pictures; 0: not said
};

// unet/config.json. Throws bad_config; unsupported_architecture for block types and settings that Snug has no
// code for (SDXL's added embeddings, class embeddings, and the like), naming the field.
UnetConfig parse_unet_config(const ConfigText& text);

// From the tensors of a checkpoint that has no config: SD1.x has 8 heads everywhere, SD2.x (linear
// projections) heads of 64 channels; 32 groups. Throws unsupported_architecture, missing_tensor, bad_config.
UnetConfig infer_unet_config(const WeightScope& w);

// What is wrong with the numbers together, empty when nothing is: "norm_num_groups 5 does not divide 320".
std::string unet_config_fault(const UnetConfig& config);

}  // namespace snug
