#include "models/autoencoder_kl/config.h"

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

void require_block_types(const ConfigReader& reader, std::string_view key, size_t count,
                         std::string_view only) {
  if (!reader.has(key)) return;
  for (const std::string& type : reader.texts(key, count)) {
    if (type != only) reader.refuse(key, fmt::format("block type '{}' is not implemented", type));
  }
}

}  // namespace

AutoencoderKlConfig parse_autoencoder_kl_config(const ConfigText& text) {
  const ConfigReader reader(text);
  reader.require_only("_class_name", {R"("AutoencoderKL")"});
  reader.require_only("act_fn", {R"("silu")", R"("swish")"});
  reader.require_only("latents_mean", {});
  reader.require_only("latents_std", {});
  reader.require_only("shift_factor", {"0"});
  AutoencoderKlConfig config;
  config.in_channels = reader.integer("in_channels", {3, 3}, 3);
  config.out_channels = reader.integer("out_channels", {3, 3}, 3);
  config.latent_channels = reader.integer("latent_channels", {1, 1024}, 4);
  config.channels = reader.integers("block_out_channels", kChannelRange);
  require_block_types(reader, "down_block_types", config.channels.size(), "DownEncoderBlock2D");
  require_block_types(reader, "up_block_types", config.channels.size(), "UpDecoderBlock2D");
  config.layers = reader.integer("layers_per_block", kLayerRange, 1);
  config.groups = reader.integer("norm_num_groups", kChannelRange, 32);
  config.mid_attention = reader.boolean("mid_block_add_attention", true);
  config.quant_conv = reader.boolean("use_quant_conv", true);
  config.post_quant_conv = reader.boolean("use_post_quant_conv", true);
  config.scaling_factor = static_cast<float>(reader.number("scaling_factor", {1e-6, 1e6}, 0.18215));
  // `force_upcast` is for float16, whose range the published weights leave; Snug computes in types that have
  // float32's range.
  const std::string fault = autoencoder_kl_config_fault(config);
  if (!fault.empty()) {
    throw Error(ErrorCode::kBadConfig, fault, "use the configuration that was published with these weights")
        .in_file(text.file);
  }
  return config;
}

std::string autoencoder_kl_config_fault(const AutoencoderKlConfig& config) {
  for (const int64_t channels : config.channels) {
    if (channels % config.groups != 0) {
      return fmt::format("norm_num_groups: {} does not divide {} channels", config.groups, channels);
    }
  }
  return {};
}

AutoencoderKlConfig infer_autoencoder_kl_config(const WeightScope& w) {
  constexpr std::string_view kFix = "give the folder of its config files with --model-config";
  const auto extent = [&w, kFix](const std::string& tensor, int axis) {
    const Shape shape = w.require(tensor).shape;
    if (shape.rank() != 4 || shape[axis] < 1 || shape[axis] > kChannelRange.most) {
      throw Error(ErrorCode::kUnsupportedArchitecture,
                  fmt::format("{} has shape {}, which no known autoencoder has", tensor, shape.text()),
                  std::string(kFix))
          .in_file(w.source().name());
    }
    return shape[axis];
  };
  AutoencoderKlConfig config;
  config.latent_channels = extent("decoder.conv_in.weight", 1);
  const WeightScope encoder = w.sub("encoder");
  for (int64_t i = 0; i < static_cast<int64_t>(kMostLevels); ++i) {
    const std::string first = fmt::format("encoder.down_blocks.{}.resnets.0.conv1.weight", i);
    if (!w.has(first)) break;
    config.channels.push_back(extent(first, 0));
  }
  if (config.channels.empty()) extent("encoder.down_blocks.0.resnets.0.conv1.weight", 0);
  config.layers = 0;
  while (config.layers < kLayerRange.most &&
         encoder.has(fmt::format("down_blocks.0.resnets.{}.conv1.weight", config.layers))) {
    ++config.layers;
  }
  config.mid_attention = encoder.has("mid_block.attentions.0.to_q.weight");
  config.quant_conv = w.has("quant_conv.weight");
  config.post_quant_conv = w.has("post_quant_conv.weight");
  const std::string fault = autoencoder_kl_config_fault(config);
  if (!fault.empty()) {
    throw Error(ErrorCode::kBadConfig, "widths unlike any published model's: " + fault, std::string(kFix))
        .in_file(w.source().name());
  }
  return config;
}

}  // namespace snug
