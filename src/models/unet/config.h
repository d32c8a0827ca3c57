// Configuration of diffusers' UNet2DConditionModel as SD1.x, SD2.x and SDXL use it: any number of levels,
// each with or without cross-attention, with convolutions or matrices as projections, and with or without an
// embedding of the prompt's vector and the picture's sizes beside that of the timestep.
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

// What SDXL adds to the embedding of the timestep: the prompt's vector, and the sinusoids of a few numbers
// (sizes of the picture, its crop, a score), through two layers.
struct AddedEmbedding {
  int64_t channels = 0;         // of both together; 0: there is no such embedding
  int64_t number_channels = 0;  // sinusoids of each number
  int64_t numbers = 0;          // 6, or 5 in SDXL's refiner; describe_model.cc counts them

  bool present() const { return channels > 0; }
  int64_t text_channels() const { return channels - numbers * number_channels; }
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
  AddedEmbedding added;
  int64_t sample_size = 0;  // latent height and width of the training pictures; 0: not said
};

// unet/config.json. Throws bad_config; unsupported_architecture for block types and settings that Snug has no
// code for (class embeddings and the like), naming the field.
UnetConfig parse_unet_config(const ConfigText& text);

// From the tensors of a checkpoint that has no config: SD1.x has 8 heads everywhere, SD2.x and SDXL (linear
// projections) heads of 64 channels; 32 groups; added numbers have 256 sinusoids. Throws
// unsupported_architecture, missing_tensor, bad_config.
UnetConfig infer_unet_config(const WeightScope& w);

// What is wrong with the numbers together, empty when nothing is: "norm_num_groups 5 does not divide 320".
std::string unet_config_fault(const UnetConfig& config);

}  // namespace snug
