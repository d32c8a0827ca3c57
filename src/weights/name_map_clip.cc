#include <fmt/format.h>

#include "weights/name_map.h"

namespace snug {
namespace {

constexpr std::pair<std::string_view, std::string_view> kOpenClipOuter[] = {
    {"token_embedding", "text_model.embeddings.token_embedding"},
    {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
    {"ln_final", "text_model.final_layer_norm"},
};

constexpr std::pair<std::string_view, std::string_view> kOpenClipLayer[] = {
    {"ln_1", "layer_norm1"}, {"ln_2", "layer_norm2"},   {"attn.out_proj", "self_attn.out_proj"},
    {"mlp.c_fc", "mlp.fc1"}, {"mlp.c_proj", "mlp.fc2"},
};

constexpr std::string_view kInProjection[] = {"q_proj", "k_proj", "v_proj"};

// One layer's tensor; in_proj becomes three.
void map_layer(size_t stored, const Numbered& layer, NameMappings& out) {
  const std::string base = fmt::format("text_model.encoder.layers.{}.", layer.number);
  if (layer.rest == "attn.in_proj_weight" || layer.rest == "attn.in_proj_bias") {
    const std::string_view kind = layer.rest.substr(std::string_view("attn.in_proj_").size());
    for (int slice = 0; slice < 3; ++slice) {
      out.push_back({.stored = stored,
                     .name = fmt::format("{}self_attn.{}.{}", base, kInProjection[slice], kind),
                     .slice = slice,
                     .slices = 3});
    }
  } else if (const auto inner = replace_prefix(layer.rest, kOpenClipLayer)) {
    out.push_back({.stored = stored, .name = base + *inner});
  }
}

}  // namespace

NameMappings map_clip(StoredTensors tensors) {
  NameMappings out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = tensors[i].name;
    if (name.ends_with("position_ids")) continue;  // 0, 1, 2, ...: a constant, not a weight
    const bool bare = name.starts_with("embeddings.") || name.starts_with("encoder.") ||
                      name.starts_with("final_layer_norm.");
    out.push_back({.stored = i, .name = bare ? "text_model." + name : name});
  }
  return out;
}

NameMappings map_open_clip(StoredTensors tensors) {
  constexpr std::string_view kLayers = "transformer.resblocks.";
  NameMappings out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string_view name = tensors[i].name;
    if (name.starts_with(kLayers)) {
      if (const auto layer = split_number(name.substr(kLayers.size()))) map_layer(i, *layer, out);
    } else if (name == "text_projection") {
      out.push_back({.stored = i, .name = "text_projection.weight", .transposed = true});
    } else if (auto mapped = replace_prefix(name, kOpenClipOuter)) {
      out.push_back({.stored = i, .name = std::move(*mapped)});
    }
  }
  return out;
}

}  // namespace snug
