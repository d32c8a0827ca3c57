// The configuration of a UNet from the names and shapes of its tensors alone, for single-file checkpoints.
#include <array>

#include <fmt/format.h>

#include "base/error.h"
#include "models/unet/config.h"

namespace snug {
namespace {

// Tensors of relatives of this UNet that need code of their own, and what those are.
struct Relative {
  std::string_view tensor;
  std::string_view what;
};
constexpr std::array kRelatives = {
    Relative{"class_embedding.linear_1.weight", "class embeddings"},
    Relative{"class_embedding.weight", "class embeddings"},
    Relative{"time_embedding.cond_proj.weight", "a guidance embedding, as in distilled LCM models"},
    Relative{"encoder_hid_proj.weight", "a projection of the text"},
};

constexpr std::string_view kFix = "give the folder of its config files with --model-config";

[[noreturn]] void refuse(const WeightScope& w, std::string problem) {
  throw Error(ErrorCode::kUnsupportedArchitecture, std::move(problem), std::string(kFix))
      .in_file(w.source().name());
}

// One extent of a tensor that must have `rank` dimensions.
int64_t extent(const WeightScope& w, std::string_view tensor, int rank, int axis) {
  const Shape shape = w.require(tensor).shape;
  if (shape.rank() != rank || shape[axis] < 1 || shape[axis] > kChannelRange.most) {
    refuse(w, fmt::format("{} has shape {}, which no known UNet has", w.full_name(tensor), shape.text()));
  }
  return shape[axis];
}

// How many of name.0, name.1, ... have `tensor`.
int64_t count(const WeightScope& w, std::string_view name, std::string_view tensor, int64_t most) {
  int64_t found = 0;
  while (found < most && w.sub(name, found).has(tensor)) ++found;
  return found;
}

UnetLevel infer_level(const WeightScope& down, const WeightScope& up) {
  UnetLevel level;
  level.channels = extent(down.sub("resnets.0"), "conv1.weight", 4, 0);
  level.layers = count(down, "resnets", "conv1.weight", kLayerRange.most);
  level.attention_down = down.has("attentions.0.norm.weight");
  level.attention_up = up.has("attentions.0.norm.weight");
  if (level.attention_down || level.attention_up) {
    const WeightScope transformer = (level.attention_down ? down : up).sub("attentions.0");
    level.transformer_layers = count(transformer, "transformer_blocks", "norm1.weight", kLayerRange.most);
  }
  return level;
}

AddedEmbedding infer_added(const WeightScope& w) {
  constexpr int64_t kNumberChannels = 256;  // of SDXL and its refiner
  if (!w.has("add_embedding.linear_1.weight")) return {};
  return {.channels = extent(w, "add_embedding.linear_1.weight", 2, 1), .number_channels = kNumberChannels};
}

}  // namespace

UnetConfig infer_unet_config(const WeightScope& w) {
  for (const Relative& relative : kRelatives) {
    if (w.has(relative.tensor)) refuse(w, fmt::format("the UNet has {}", relative.what));
  }
  UnetConfig config;
  config.in_channels = extent(w, "conv_in.weight", 4, 1);
  config.out_channels = extent(w, "conv_out.weight", 4, 0);
  const int64_t levels = count(w, "down_blocks", "resnets.0.conv1.weight", kMostLevels);
  if (levels == 0) refuse(w, "no UNet of a known layout");
  for (int64_t i = 0; i < levels; ++i) {
    config.levels.push_back(infer_level(w.sub("down_blocks", i), w.sub("up_blocks", levels - 1 - i)));
  }
  const WeightScope mid = w.sub("mid_block.attentions.0");
  config.cross_attention_dim = extent(mid, "transformer_blocks.0.attn2.to_k.weight", 2, 1);
  config.linear_projection = mid.require("proj_in.weight").shape.rank() == 2;
  config.added = infer_added(w);
  UnetLevel& inner = config.levels.back();
  inner.transformer_layers = count(mid, "transformer_blocks", "norm1.weight", kLayerRange.most);
  constexpr int64_t kHeadsOfFirstGeneration = 8;
  constexpr int64_t kHeadChannelsOfSecond = 64;
  for (UnetLevel& level : config.levels) {
    level.heads = config.linear_projection ? std::max<int64_t>(1, level.channels / kHeadChannelsOfSecond)
                                           : kHeadsOfFirstGeneration;
  }
  const std::string fault = unet_config_fault(config);
  if (!fault.empty()) {
    throw Error(ErrorCode::kBadConfig, "widths unlike any published model's: " + fault, std::string(kFix))
        .in_file(w.source().name());
  }
  return config;
}

}  // namespace snug
