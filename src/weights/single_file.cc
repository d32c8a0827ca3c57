#include "weights/single_file.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace snug {
namespace {

struct Layout {
  std::string_view part;
  std::string_view layout;
  std::string_view prefix;     // of the stored names; removed before mapping
  std::string_view signature;  // a stored name, after the prefix, starts with this
  NameMappings (*map)(StoredTensors);
};

// Rows of one part in order of preference. The rows without a prefix are for files of a single part and
// count only when no other row matches: their signatures are weaker.
constexpr std::array kLayouts = {
    Layout{"unet", "original", "model.diffusion_model.", "input_blocks.0.0.", map_original_unet},
    Layout{"vae", "original", "first_stage_model.", "decoder.conv_in.", map_original_vae},
    Layout{"text_encoder", "clip", "cond_stage_model.transformer.", "text_model.embeddings.", map_clip},
    Layout{"text_encoder", "clip", "cond_stage_model.transformer.", "embeddings.", map_clip},
    Layout{"text_encoder", "open_clip", "cond_stage_model.model.", "token_embedding.", map_open_clip},
    // SDXL; its refiner has the second encoder alone.
    Layout{"text_encoder", "clip", "conditioner.embedders.0.transformer.", "text_model.embeddings.",
           map_clip},
    Layout{"text_encoder_2", "open_clip", "conditioner.embedders.1.model.", "token_embedding.",
           map_open_clip},
    Layout{"text_encoder_2", "open_clip", "conditioner.embedders.0.model.", "token_embedding.",
           map_open_clip},
    Layout{"unet", "original", "", "input_blocks.0.0.", map_original_unet},
    Layout{"unet", "diffusers", "", "down_blocks.0.resnets.", map_diffusers},
    Layout{"vae", "original", "", "decoder.up.0.", map_original_vae},
    Layout{"vae", "diffusers", "", "decoder.up_blocks.0.", map_diffusers},
    Layout{"vae", "diffusers", "", "decoder.layers.0.", map_diffusers},
    Layout{"vae", "original_tiny", "", "decoder.3.conv.0.", map_original_tiny_vae},
    Layout{"vae", "original_tiny", "", "3.conv.0.", map_original_tiny_vae},
    Layout{"text_encoder", "clip", "", "text_model.embeddings.", map_clip},
    Layout{"text_encoder", "open_clip", "", "transformer.resblocks.0.", map_open_clip},
};

bool matches(const Layout& layout, const WeightFile& file) {
  return std::any_of(file.tensors.begin(), file.tensors.end(), [&](const StoredTensor& tensor) {
    const std::string_view name = tensor.name;
    return name.starts_with(layout.prefix) && name.substr(layout.prefix.size()).starts_with(layout.signature);
  });
}

std::vector<const Layout*> matching_layouts(const WeightFile& file, bool with_prefix) {
  std::vector<const Layout*> found;
  for (const Layout& layout : kLayouts) {
    const bool taken = std::any_of(found.begin(), found.end(),
                                   [&](const Layout* other) { return other->part == layout.part; });
    if (!taken && layout.prefix.empty() != with_prefix && matches(layout, file)) found.push_back(&layout);
  }
  return found;
}

FoundPart read_part(const WeightFile& file, const Layout& layout, std::vector<bool>& used) {
  std::vector<StoredTensor> stored;  // of this part, without the prefix
  std::vector<size_t> position;      // of each in the file's list
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    if (!file.tensors[i].name.starts_with(layout.prefix)) continue;
    stored.push_back(file.tensors[i]);
    stored.back().name.erase(0, layout.prefix.size());
    position.push_back(i);
  }
  const NameMappings mappings = layout.map(stored);
  auto weights = std::make_shared<WeightIndex>(file.source->name());
  weights->add(file.source, stored, mappings);
  for (const NameMapping& mapping : mappings) used[position[mapping.stored]] = true;
  return {std::string(layout.layout), std::move(weights)};
}

}  // namespace

FoundParts find_parts(const WeightFile& file) {
  std::vector<const Layout*> layouts = matching_layouts(file, true);
  if (layouts.empty()) layouts = matching_layouts(file, false);
  if (layouts.empty()) {
    throw Error(ErrorCode::kUnsupportedArchitecture, "has no model part that Snug knows",
                "use a Stable Diffusion 1.x, 2.x or XL checkpoint, or a diffusers folder")
        .in_file(file.source->name());
  }
  FoundParts found;
  std::vector<bool> used(file.tensors.size(), false);
  for (const Layout* layout : layouts) found.parts.emplace(layout->part, read_part(file, *layout, used));
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    if (!used[i]) found.unused.push_back(file.tensors[i].name);
  }
  return found;
}

}  // namespace snug
