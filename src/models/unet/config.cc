#include "models/unet/config.h"

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

// Fields that would change the network, with the values for which it is the one in unet.cc.
void refuse_what_is_not_implemented(const ConfigReader& reader) {
  reader.require_only("_class_name", {R"("UNet2DConditionModel")"});
  reader.require_only("act_fn", {R"("silu")", R"("swish")"});
  reader.require_only("mid_block_type", {R"("UNetMidBlock2DCrossAttn")"});
  reader.require_only("center_input_sample", {"false"});
  reader.require_only("time_embedding_type", {R"("positional")"});
  reader.require_only("resnet_time_scale_shift", {R"("default")"});
  reader.require_only("attention_type", {R"("default")"});
  reader.require_only("conv_in_kernel", {"3"});
  reader.require_only("conv_out_kernel", {"3"});
  reader.require_only("resnet_out_scale_factor", {"1"});
  reader.require_only("mid_block_scale_factor", {"1"});
  for (const std::string_view key : {"resnet_skip_time_act", "only_cross_attention", "dual_cross_attention",
                                     "mid_block_only_cross_attention", "class_embeddings_concat"}) {
    reader.require_only(key, {"false"});
  }
  reader.require_only("addition_embed_type", {R"("text_time")"});
  for (const std::string_view key :
       {"class_embed_type", "num_class_embeds", "encoder_hid_dim", "encoder_hid_dim_type",
        "time_cond_proj_dim", "time_embedding_dim", "time_embedding_act_fn", "timestep_post_act",
        "cross_attention_norm", "num_attention_heads", "reverse_transformer_layers_per_block"}) {
    reader.require_only(key, {});
  }
}

bool has_attention(const ConfigReader& reader, std::string_view key, const std::string& type,
                   std::string_view plain, std::string_view with_attention) {
  if (type == with_attention) return true;
  if (type == plain) return false;
  reader.refuse(key, fmt::format("block type '{}' is not implemented", type));
}

std::vector<UnetLevel> parse_levels(const ConfigReader& reader) {
  const std::vector<int64_t> channels = reader.integers("block_out_channels", kChannelRange);
  const size_t count = channels.size();
  const auto down_types = reader.texts("down_block_types", count);
  const auto up_types = reader.texts("up_block_types", count);
  const auto layers = reader.one_or_each("layers_per_block", kLayerRange, count, 2);
  const auto transformer_layers = reader.one_or_each("transformer_layers_per_block", kLayerRange, count, 1);
  // The published name is wrong: attention_head_dim is the NUMBER of heads.
  const auto heads = reader.one_or_each("attention_head_dim", {1, 1024}, count, 8);
  std::vector<UnetLevel> levels(count);
  for (size_t i = 0; i < count; ++i) {
    UnetLevel& level = levels[i];
    level.channels = channels[i];
    level.layers = layers[i];
    level.heads = heads[i];
    level.transformer_layers = transformer_layers[i];
    level.attention_down =
        has_attention(reader, "down_block_types", down_types[i], "DownBlock2D", "CrossAttnDownBlock2D");
    // Written from the inside outwards.
    level.attention_up =
        has_attention(reader, "up_block_types", up_types[count - 1 - i], "UpBlock2D", "CrossAttnUpBlock2D");
  }
  return levels;
}

AddedEmbedding parse_added(const ConfigReader& reader) {
  AddedEmbedding added;
  if (!reader.has("addition_embed_type")) return added;
  added.channels = reader.integer("projection_class_embeddings_input_dim", kChannelRange);
  added.number_channels = reader.integer("addition_time_embed_dim", {4, kChannelRange.most});
  return added;
}

}  // namespace

UnetConfig parse_unet_config(const ConfigText& text) {
  const ConfigReader reader(text);
  refuse_what_is_not_implemented(reader);
  UnetConfig config;
  config.in_channels = reader.integer("in_channels", kChannelRange, 4);
  config.out_channels = reader.integer("out_channels", kChannelRange, 4);
  config.levels = parse_levels(reader);
  config.cross_attention_dim = reader.integer("cross_attention_dim", kChannelRange, 1280);
  config.groups = reader.integer("norm_num_groups", kChannelRange, 32);
  config.epsilon = static_cast<float>(reader.number("norm_eps", {1e-12, 1}, 1e-5));
  config.linear_projection = reader.boolean("use_linear_projection", false);
  config.pad_end_only = reader.integer("downsample_padding", {0, 1}, 1) == 0;
  config.cosines_first = reader.boolean("flip_sin_to_cos", true);
  config.frequency_shift = static_cast<float>(reader.number("freq_shift", {0, 1}, 0));
  config.added = parse_added(reader);
  config.sample_size = reader.integer("sample_size", {1, 8192}, 0);
  const std::string fault = unet_config_fault(config);
  if (!fault.empty()) {
    throw Error(ErrorCode::kBadConfig, fault, "use the configuration that was published with these weights")
        .in_file(text.file);
  }
  return config;
}

std::string unet_config_fault(const UnetConfig& config) {
  for (const UnetLevel& level : config.levels) {
    if (level.channels % config.groups != 0) {
      return fmt::format("norm_num_groups: {} does not divide {} channels", config.groups, level.channels);
    }
    const bool attention = level.attention_down || level.attention_up || &level == &config.levels.back();
    if (attention && level.channels % level.heads != 0) {
      return fmt::format("attention_head_dim: {} heads do not divide {} channels", level.heads,
                         level.channels);
    }
  }
  // Sinusoids come in pairs.
  if (config.added.number_channels % 2 != 0) {
    return fmt::format("addition_time_embed_dim: {} is odd", config.added.number_channels);
  }
  if (config.levels.front().channels % 2 != 0 || config.levels.front().channels < 4) {
    return fmt::format("block_out_channels: the first, {}, is not even and at least 4",
                       config.levels.front().channels);
  }
  return {};
}

}  // namespace snug
