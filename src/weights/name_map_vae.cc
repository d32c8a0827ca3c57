#include <algorithm>

#include <fmt/format.h>

#include "weights/name_map.h"

namespace snug {
namespace {

constexpr std::pair<std::string_view, std::string_view> kAttentionNames[] = {
    {"norm", "group_norm"}, {"q", "to_q"}, {"k", "to_k"}, {"v", "to_v"}, {"proj_out", "to_out.0"}};

constexpr std::pair<std::string_view, std::string_view> kCoderNames[] = {
    {"conv_in", "conv_in"},
    {"norm_out", "conv_norm_out"},
    {"conv_out", "conv_out"},
    {"mid.block_1", "mid_block.resnets.0"},
    {"mid.block_2", "mid_block.resnets.1"},
};

constexpr std::pair<std::string_view, std::string_view> kResnetNames[] = {
    {"norm1", "norm1"},
    {"conv1", "conv1"},
    {"norm2", "norm2"},
    {"conv2", "conv2"},
    {"nin_shortcut", "conv_shortcut"},
};

constexpr std::string_view kDown = "encoder.down.";
constexpr std::string_view kUp = "decoder.up.";

// decoder.up is counted from the output, diffusers' up_blocks in the order of computation.
size_t count_up_levels(StoredTensors tensors) {
  size_t levels = 0;
  for (const StoredTensor& tensor : tensors) {
    if (!tensor.name.starts_with(kUp)) continue;
    const auto level = split_number(std::string_view(tensor.name).substr(kUp.size()));
    if (level) levels = std::max(levels, level->number + 1);
  }
  return levels;
}

// "block.0.norm1.weight", "downsample.conv.weight": what a level has inside.
std::optional<std::string> inside_level(std::string_view rest) {
  constexpr std::string_view kBlock = "block.";
  if (rest.starts_with(kBlock)) {
    const auto layer = split_number(rest.substr(kBlock.size()));
    if (!layer) return std::nullopt;
    const auto inner = replace_prefix(layer->rest, kResnetNames);
    if (!inner) return std::nullopt;
    return fmt::format("resnets.{}.{}", layer->number, *inner);
  }
  constexpr std::pair<std::string_view, std::string_view> kResamplers[] = {
      {"downsample.conv", "downsamplers.0.conv"}, {"upsample.conv", "upsamplers.0.conv"}};
  return replace_prefix(rest, kResamplers);
}

std::optional<std::string> in_level(std::string_view name, size_t up_levels) {
  const bool down = name.starts_with(kDown);
  if (!down && !name.starts_with(kUp)) return std::nullopt;
  const auto level = split_number(name.substr(down ? kDown.size() : kUp.size()));
  if (!level) return std::nullopt;
  const auto inner = inside_level(level->rest);
  if (!inner) return std::nullopt;
  return down ? fmt::format("encoder.down_blocks.{}.{}", level->number, *inner)
              : fmt::format("decoder.up_blocks.{}.{}", up_levels - 1 - level->number, *inner);
}

// Names below "encoder." or "decoder." that do not belong to a level.
std::optional<std::string> in_coder(std::string_view coder, std::string_view rest) {
  if (const auto outer = replace_prefix(rest, kCoderNames)) {
    return fmt::format("{}.{}", coder, *outer);
  }
  constexpr std::string_view kAttention = "mid.attn_1.";
  if (!rest.starts_with(kAttention)) return std::nullopt;
  const auto inner = replace_prefix(rest.substr(kAttention.size()), kAttentionNames);
  if (!inner) return std::nullopt;
  return fmt::format("{}.mid_block.attentions.0.{}", coder, *inner);
}

std::optional<std::string> map_name(std::string_view name, size_t up_levels) {
  if (name.starts_with("quant_conv.") || name.starts_with("post_quant_conv.")) return std::string(name);
  if (auto mapped = in_level(name, up_levels)) return mapped;
  for (const std::string_view coder : {"encoder", "decoder"}) {
    if (name.starts_with(coder) && name.substr(coder.size()).starts_with('.')) {
      return in_coder(coder, name.substr(coder.size() + 1));
    }
  }
  return std::nullopt;
}

}  // namespace

NameMappings map_original_vae(StoredTensors tensors) {
  const size_t up_levels = count_up_levels(tensors);
  NameMappings out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (auto name = map_name(tensors[i].name, up_levels)) {
      const bool attention = name->find(".attentions.") != std::string::npos;
      out.push_back({.stored = i, .name = std::move(*name), .as_matrix = attention});
    }
  }
  return out;
}

NameMappings map_original_tiny_vae(StoredTensors tensors) {
  // The original decoder starts with a clamp that has no weights, so its positions are one ahead.
  const auto layer_name = [](std::string_view coder, std::string_view rest) -> std::optional<std::string> {
    const auto layer = split_number(rest);
    const size_t shift = coder == "decoder" ? 1 : 0;
    if (!layer || layer->number < shift) return std::nullopt;
    return fmt::format("{}.layers.{}.{}", coder, layer->number - shift, layer->rest);
  };
  // A file of one coder: its first convolution is at 0 in the encoder and at 1 in the decoder.
  const bool bare_encoder = std::any_of(tensors.begin(), tensors.end(),
                                        [](const StoredTensor& tensor) { return tensor.name == "0.weight"; });
  NameMappings out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string_view name = tensors[i].name;
    std::optional<std::string> mapped;
    if (name.starts_with("encoder.") || name.starts_with("decoder.")) {
      mapped = layer_name(name.substr(0, 7), name.substr(8));
    } else {
      mapped = layer_name(bare_encoder ? "encoder" : "decoder", name);
    }
    if (mapped) out.push_back({.stored = i, .name = std::move(*mapped)});
  }
  return out;
}

}  // namespace snug
