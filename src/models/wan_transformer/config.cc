#include "models/wan_transformer/config.h"

#include <fmt/format.h>

#include "base/error.h"

namespace snug {

WanTransformerConfig parse_wan_transformer_config(const ConfigText& text) {
  const ConfigReader reader(text);
  reader.require_only("_class_name", {R"("WanTransformer3DModel")"});
  reader.require_only("patch_size", {"[1,2,2]"});
  reader.require_only("qk_norm", {R"("rms_norm_across_heads")"});
  reader.require_only("cross_attn_norm", {"true"});
  // Keys and values of a picture's encoder, as in Wan 2.1's image to video.
  reader.require_only("added_kv_proj_dim", {});
  reader.require_only("image_dim", {});
  reader.require_only("pos_embed_seq_len", {});
  WanTransformerConfig config;
  config.in_channels = reader.integer("in_channels", kChannelRange, 16);
  config.out_channels = reader.integer("out_channels", kChannelRange, 16);
  config.heads = reader.integer("num_attention_heads", {1, 1024}, 40);
  config.head_channels = reader.integer("attention_head_dim", {2, 1024}, 128);
  config.layers = reader.integer("num_layers", {1, 1024}, 40);
  config.feed_forward_channels = reader.integer("ffn_dim", {1, 1 << 20}, 13824);
  config.text_channels = reader.integer("text_dim", kChannelRange, 4096);
  config.frequency_channels = reader.integer("freq_dim", {2, 65536}, 256);
  config.epsilon = static_cast<float>(reader.number("eps", {1e-12, 1}, 1e-6));
  // Positions turn pairs of channels, and the timestep's sinusoids come in pairs.
  if (config.head_channels % 2 != 0 || config.frequency_channels % 2 != 0) {
    throw Error(ErrorCode::kBadConfig,
                fmt::format("attention_head_dim {} and freq_dim {} are not both even", config.head_channels,
                            config.frequency_channels),
                "use the configuration that was published with these weights")
        .in_file(text.file);
  }
  return config;
}

}  // namespace snug
