#include "models/umt5/config.h"

#include <fmt/format.h>

#include "base/error.h"
#include "models/umt5/umt5.h"

namespace snug {

Umt5Config parse_umt5_config(const ConfigText& text) {
  const ConfigReader reader(text);
  reader.require_only("architectures", {R"(["UMT5EncoderModel"])"});
  reader.require_only("model_type", {R"("umt5")"});
  reader.require_only("feed_forward_proj", {R"("gated-gelu")"});
  reader.require_only("dense_act_fn", {R"("gelu_new")"});
  reader.require_only("is_gated_act", {"true"});
  Umt5Config config;
  config.vocabulary = reader.integer("vocab_size", {1, 1 << 24});
  config.channels = reader.integer("d_model", kChannelRange);
  config.head_channels = reader.integer("d_kv", {1, 1024});
  config.heads = reader.integer("num_heads", {1, 1024});
  config.feed_forward = reader.integer("d_ff", {1, 4 * kChannelRange.most});
  config.layers = reader.integer("num_layers", {1, 256});
  config.buckets = reader.integer("relative_attention_num_buckets", {4, 1024}, 32);
  config.max_distance = reader.integer("relative_attention_max_distance", {2, 1 << 20}, 128);
  config.epsilon = static_cast<float>(reader.number("layer_norm_epsilon", {1e-12, 1}, 1e-6));
  if (config.buckets % 4 != 0) {
    reader.fail("relative_attention_num_buckets", fmt::format("{} is no multiple of 4", config.buckets));
  }
  if (config.max_distance <= config.buckets / 4) {
    reader.fail("relative_attention_max_distance",
                fmt::format("{} is within the {} distances that have buckets of their own",
                            config.max_distance, config.buckets / 4));
  }
  return config;
}

Umt5Config infer_umt5_config(const WeightScope& w) {
  const WeightScope first = w.sub("encoder.block.0");
  const WeightScope attention = first.sub("layer.0.SelfAttention");
  const Shape table = umt5_embedding_scope(w).require("weight").shape;
  const Shape q = attention.require("q.weight").shape;
  const Shape bias = attention.require("relative_attention_bias.weight").shape;
  const Shape wide = first.require("layer.1.DenseReluDense.wi_0.weight").shape;
  if (table.rank() != 2 || q.rank() != 2 || bias.rank() != 2 || wide.rank() != 2 || q[0] % bias[1] != 0 ||
      bias[0] % 4 != 0) {
    throw Error(
        ErrorCode::kUnsupportedArchitecture,
        fmt::format("no known text encoder has queries of {} and a bias of {}", q.text(), bias.text()),
        "give the folder of its config files with --model-config")
        .in_file(w.source().name())
        .in_tensor(attention.full_name("q.weight"));
  }
  Umt5Config config;
  config.vocabulary = table[0];
  config.channels = table[1];
  config.heads = bias[1];
  config.head_channels = q[0] / bias[1];
  config.buckets = bias[0];
  config.feed_forward = wide[0];
  config.layers = 0;
  while (w.sub("encoder.block", config.layers).has("layer.0.layer_norm.weight")) ++config.layers;
  return config;
}

}  // namespace snug
