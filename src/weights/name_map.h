// From the names that a file uses for the tensors of one model part to the names that diffusers uses,
// which are the only ones that model files know. One function per layout; each looks at the names that
// are there and derives the block structure from them, so that other widths, depths and attention
// placements than SD1.5's work as well. single_file.h decides which function a file needs.
//
// Names that a layout does not know are left out of the result: the architecture's own check then says
// which tensor is missing, and tools list what was not used.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights/stored_tensor.h"

namespace snug {

struct NameMapping {
  size_t stored = 0;  // position in the list that was given
  std::string name;   // in diffusers' layout
  // The part `slice` of `slices` equal ones along dimension 0: query, key and value that were stored as one.
  int slice = 0;
  int slices = 1;
  // [C, C, 1, 1] is [C, C]: a 1x1 convolution where diffusers has a matrix. Without effect on other shapes.
  bool as_matrix = false;
  // One row of all elements each: [1, 6, C] is [6 C], [C, 1, 1, 1] is [C]. Scales and tables of rows.
  bool as_vector = false;
  // A matrix whose rows are diffusers' columns.
  bool transposed = false;
};

using NameMappings = std::vector<NameMapping>;
using StoredTensors = std::span<const StoredTensor>;

// Any UNet of the original Stable Diffusion code (CompVis, Stability): input_blocks, middle_block,
// output_blocks. Source: openaimodel.py's order of blocks, and diffusers' of the same network.
NameMappings map_original_unet(StoredTensors tensors);

// And back, for LoRAs: the original name of each of a UNet's modules ("down_blocks.0.resnets.0.conv1",
// without
// ".weight") that has one. `modules`: all of the UNet's.
std::map<std::string, std::string> original_unet_modules(const std::vector<std::string>& modules);

// The original autoencoder: encoder.down.0.block.0, decoder.up.3.block.0 (counted from the output),
// mid.attn_1 as 1x1 convolutions.
NameMappings map_original_vae(StoredTensors tensors);

// OpenAI's text encoder as transformers stores it, with or without the leading "text_model.".
NameMappings map_clip(StoredTensors tensors);

// OpenCLIP's text encoder: transformer.resblocks.0.attn.in_proj_weight holds query, key and value.
// `text_projection`, which SD2.x does not use, is stored transposed.
NameMappings map_open_clip(StoredTensors tensors);

// The tiny autoencoder as its author publishes it: Sequential positions, "1.weight" in a decoder file and
// "0.weight" in an encoder file, or both under "decoder." and "encoder.".
NameMappings map_original_tiny_vae(StoredTensors tensors);

// Wan's transformer as its makers, ComfyUI and GGUF files name it: blocks.0.self_attn.q, head.modulation.
NameMappings map_original_wan(StoredTensors tensors);
// Whether a stored name is of such a file.
bool is_original_wan(std::string_view name);
// And back, as original_unet_modules.
std::map<std::string, std::string> original_wan_modules(const std::vector<std::string>& modules);
// What ComfyUI's files have before the names of a model that denoises.
inline constexpr std::string_view kComfyPrefix = "model.diffusion_model.";

// Already diffusers' names, but for what older versions and converters wrote: the autoencoder's attention as
// query, key, value, proj_attn, or as 1x1 convolutions.
NameMappings map_diffusers(StoredTensors tensors);

// For the functions above. Splits "12.1.in_layers" into 12 and "1.in_layers" (rest empty without a dot);
// empty unless it starts with a number below 1000.
struct Numbered {
  size_t number;
  std::string_view rest;
};
std::optional<Numbered> split_number(std::string_view name);

// The first of `pairs` whose first member starts `name` at a component's boundary, replaced by its second;
// empty when none does.
using PrefixPairs = std::span<const std::pair<std::string_view, std::string_view>>;
std::optional<std::string> replace_prefix(std::string_view name, PrefixPairs pairs);

}  // namespace snug
