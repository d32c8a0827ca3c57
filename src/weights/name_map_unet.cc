#include <array>
#include <map>
#include <set>

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

namespace {

// The first member of the pair whose second one starts `name`, in its place.
std::optional<std::string> original_of(std::string_view name, PrefixPairs pairs) {
  for (const auto& [original, ours] : pairs) {
    const std::array<std::pair<std::string_view, std::string_view>, 1> turned = {std::pair{ours, original}};
    if (auto found = replace_prefix(name, turned)) return found;
  }
  return std::nullopt;
}

// One level of diffusers' nesting.
struct Level {
  std::set<size_t> resnets, attentions;
  bool resamples = false;
};

using Levels = std::map<size_t, Level>;

// "resnets.1.conv1" of a level taken apart.
struct InLevel {
  std::string_view kind;
  size_t layer;
  std::string_view rest;
};

std::optional<InLevel> in_level(std::string_view name) {
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto layer = split_number(name.substr(dot + 1));
  if (!layer) return std::nullopt;
  return InLevel{name.substr(0, dot), layer->number, layer->rest};
}

Levels levels_of(const std::vector<std::string>& modules, std::string_view side) {
  Levels levels;
  for (const std::string& module : modules) {
    if (!module.starts_with(side)) continue;
    const auto level = split_number(std::string_view(module).substr(side.size()));
    const auto inner = level ? in_level(level->rest) : std::nullopt;
    if (!inner) continue;
    Level& own = levels[level->number];
    if (inner->kind == "resnets") own.resnets.insert(inner->layer);
    if (inner->kind == "attentions") own.attentions.insert(inner->layer);
    if (inner->kind == "downsamplers" || inner->kind == "upsamplers") own.resamples = true;
  }
  return levels;
}

// `first`: the number of the level's first block.
std::optional<std::string> original_in_level(const InLevel& inner, const Level& level, bool down,
                                             size_t first) {
  const std::string_view section = down ? "input_blocks" : "output_blocks";
  const size_t last = level.resnets.size() - 1;
  if (inner.kind == "resnets") {
    const auto rest = original_of(inner.rest, kResnetNames);
    if (!rest) return std::nullopt;
    return fmt::format("{}.{}.0.{}", section, first + inner.layer, *rest);
  }
  if (inner.kind == "attentions") return fmt::format("{}.{}.1.{}", section, first + inner.layer, inner.rest);
  if (inner.kind == "downsamplers") return fmt::format("{}.{}.0.op", section, first + last + 1);
  if (inner.kind == "upsamplers") {
    return fmt::format("{}.{}.{}.conv", section, first + last, level.attentions.count(last) > 0 ? 2 : 1);
  }
  return std::nullopt;
}

std::optional<std::string> original_in_middle(std::string_view name) {
  const auto inner = in_level(name);
  if (!inner) return std::nullopt;
  if (inner->kind == "attentions")
    return fmt::format("middle_block.{}.{}", 2 * inner->layer + 1, inner->rest);
  const auto rest = original_of(inner->rest, kResnetNames);
  if (!rest) return std::nullopt;
  return fmt::format("middle_block.{}.{}", 2 * inner->layer, *rest);
}

}  // namespace

std::map<std::string, std::string> original_unet_modules(const std::vector<std::string>& modules) {
  constexpr std::string_view kMiddle = "mid_block.";
  std::map<std::string, std::string> out;
  for (const std::string& module : modules) {
    auto original = original_of(module, kOuterNames);
    if (!original && module.starts_with(kMiddle))
      original = original_in_middle(std::string_view(module).substr(kMiddle.size()));
    if (original) out.emplace(module, std::move(*original));
  }
  for (const bool down : {true, false}) {
    const std::string_view side = down ? "down_blocks." : "up_blocks.";
    const Levels levels = levels_of(modules, side);
    std::map<size_t, size_t> first;  // block of each level; block 0 of the input is conv_in
    size_t next = down ? 1 : 0;
    for (const auto& [number, level] : levels) {
      first[number] = next;
      next += level.resnets.size() + (down && level.resamples ? 1 : 0);
    }
    for (const std::string& module : modules) {
      if (!module.starts_with(side)) continue;
      const auto at = split_number(std::string_view(module).substr(side.size()));
      const auto inner = at ? in_level(at->rest) : std::nullopt;
      if (!inner || levels.at(at->number).resnets.empty()) continue;
      auto original = original_in_level(*inner, levels.at(at->number), down, first.at(at->number));
      if (original) out.emplace(module, std::move(*original));
    }
  }
  return out;
}

}  // namespace snug
