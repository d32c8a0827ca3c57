#include <map>

#include <fmt/format.h>

#include "weights/name_map.h"

namespace snug {
namespace {

enum class Kind { kResnet, kAttention, kDownsample, kUpsample, kConvIn };

// What "input_blocks.I.K.<rest>" belongs to, told by the names inside it.
Kind kind_of(std::string_view rest) {
  if (rest.starts_with("op.")) return Kind::kDownsample;
  if (rest.starts_with("conv.")) return Kind::kUpsample;
  if (rest == "weight" || rest == "bias") return Kind::kConvIn;
  for (const std::string_view of_resnet : {"in_layers.", "out_layers.", "emb_layers.", "skip_connection."}) {
    if (rest.starts_with(of_resnet)) return Kind::kResnet;
  }
  return Kind::kAttention;
}

// "input_blocks.4.1.norm.weight" taken apart.
struct Piece {
  size_t block;   // 4
  size_t module;  // 1
  std::string_view rest;
  Kind kind;
};

std::optional<Piece> piece_of(std::string_view name, std::string_view section) {
  if (!name.starts_with(section)) return std::nullopt;
  const auto block = split_number(name.substr(section.size()));
  if (!block) return std::nullopt;
  const auto module = split_number(block->rest);
  if (!module) return std::nullopt;
  return Piece{block->number, module->number, module->rest, kind_of(module->rest)};
}

// Where an original block stands in diffusers' nesting: the layer'th of the level'th block.
struct Place {
  size_t level = 0;
  size_t layer = 0;
};

// The levels follow from the resampling layers: a downsampler is an input block of its own that ends a
// level, an upsampler is the last module of the output block that ends one.
std::map<size_t, Place> places(StoredTensors tensors, std::string_view section, Kind resampler) {
  std::map<size_t, bool> ends_level;
  for (const StoredTensor& tensor : tensors) {
    const auto piece = piece_of(tensor.name, section);
    if (piece && piece->kind != Kind::kConvIn) ends_level[piece->block] |= piece->kind == resampler;
  }
  std::map<size_t, Place> out;
  Place next;
  for (const auto& [block, ends] : ends_level) {
    out[block] = next;
    next = ends ? Place{next.level + 1, 0} : Place{next.level, next.layer + 1};
  }
  return out;
}

constexpr std::pair<std::string_view, std::string_view> kResnetNames[] = {
    {"in_layers.0", "norm1"},  {"in_layers.2", "conv1"},  {"emb_layers.1", "time_emb_proj"},
    {"out_layers.0", "norm2"}, {"out_layers.3", "conv2"}, {"skip_connection", "conv_shortcut"},
};

constexpr std::pair<std::string_view, std::string_view> kOuterNames[] = {
    {"input_blocks.0.0", "conv_in"},
    {"time_embed.0", "time_embedding.linear_1"},
    {"time_embed.2", "time_embedding.linear_2"},
    {"label_emb.0.0", "add_embedding.linear_1"},
    {"label_emb.0.2", "add_embedding.linear_2"},
    {"out.0", "conv_norm_out"},
    {"out.2", "conv_out"},
};

std::optional<std::string> inside_level(const Piece& piece, std::string_view side, Place place) {
  switch (piece.kind) {
    case Kind::kResnet: {
      const auto inner = replace_prefix(piece.rest, kResnetNames);
      if (!inner) return std::nullopt;
      return fmt::format("{}.{}.resnets.{}.{}", side, place.level, place.layer, *inner);
    }
    case Kind::kAttention:
      return fmt::format("{}.{}.attentions.{}.{}", side, place.level, place.layer, piece.rest);
    case Kind::kDownsample:
      return fmt::format("{}.{}.downsamplers.0.conv.{}", side, place.level, piece.rest.substr(3));
    case Kind::kUpsample:
      return fmt::format("{}.{}.upsamplers.0.conv.{}", side, place.level, piece.rest.substr(5));
    case Kind::kConvIn: return std::nullopt;
  }
  return std::nullopt;
}

// middle_block.0 and .2 are resnets, .1 the attention between them.
std::optional<std::string> in_middle(std::string_view name) {
  constexpr std::string_view kSection = "middle_block.";
  if (!name.starts_with(kSection)) return std::nullopt;
  const auto module = split_number(name.substr(kSection.size()));
  if (!module) return std::nullopt;
  if (kind_of(module->rest) == Kind::kAttention) {
    return fmt::format("mid_block.attentions.{}.{}", module->number / 2, module->rest);
  }
  const auto inner = replace_prefix(module->rest, kResnetNames);
  if (!inner) return std::nullopt;
  return fmt::format("mid_block.resnets.{}.{}", (module->number + 1) / 2, *inner);
}

}  // namespace

NameMappings map_original_unet(StoredTensors tensors) {
  const auto down = places(tensors, "input_blocks.", Kind::kDownsample);
  const auto up = places(tensors, "output_blocks.", Kind::kUpsample);
  NameMappings out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string_view name = tensors[i].name;
    std::optional<std::string> mapped = replace_prefix(name, kOuterNames);
    if (!mapped) mapped = in_middle(name);
    if (!mapped) {
      const auto piece = piece_of(name, "input_blocks.");
      if (piece && piece->kind != Kind::kConvIn)
        mapped = inside_level(*piece, "down_blocks", down.at(piece->block));
    }
    if (!mapped) {
      const auto piece = piece_of(name, "output_blocks.");
      if (piece && piece->kind != Kind::kConvIn)
        mapped = inside_level(*piece, "up_blocks", up.at(piece->block));
    }
    if (mapped) out.push_back({.stored = i, .name = *mapped});
  }
  return out;
}

}  // namespace snug
