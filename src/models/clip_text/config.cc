#include "models/clip_text/config.h"

#include <fmt/format.h>

#include "base/error.h"
#include "models/clip_text/clip_text.h"

namespace snug {
namespace {

Activation parse_activation(const ConfigReader& reader) {
  const std::string name = reader.text("hidden_act", "quick_gelu");
  if (name == "quick_gelu") return Activation::kQuickGelu;
  if (name == "gelu") return Activation::kGelu;
  reader.refuse("hidden_act", fmt::format("'{}' is not implemented", name));
}

}  // namespace

ClipTextConfig parse_clip_text_config(const ConfigText& text) {
  const ConfigReader reader(text);
  constexpr std::string_view kWithProjection = R"(["CLIPTextModelWithProjection"])";
  reader.require_only("architectures", {R"(["CLIPTextModel"])", kWithProjection});
  reader.require_only("model_type", {R"("clip_text_model")"});
  ClipTextConfig config;
  config.vocabulary = reader.integer("vocab_size", {1, 1 << 24});
  config.hidden_size = reader.integer("hidden_size", kChannelRange);
  config.intermediate_size = reader.integer("intermediate_size", {1, 4 * kChannelRange.most});
  config.layers = reader.integer("num_hidden_layers", {1, 256});
  config.heads = reader.integer("num_attention_heads", {1, 1024});
  config.positions = reader.integer("max_position_embeddings", {3, 4096}, 77);
  config.activation = parse_activation(reader);
  config.epsilon = static_cast<float>(reader.number("layer_norm_eps", {1e-12, 1}, 1e-5));
  // Both classes state the width of a projection; the plain one has none.
  if (reader.is("architectures", kWithProjection)) {
    config.projection = reader.integer("projection_dim", kChannelRange, config.hidden_size);
  }
  if (config.hidden_size % config.heads != 0) {
    reader.fail("num_attention_heads",
                fmt::format("{} does not divide {}", config.heads, config.hidden_size));
  }
  return config;
}

ClipTextConfig infer_clip_text_config(const WeightScope& weights) {
  constexpr int64_t kHeadChannels = 64;
  constexpr int64_t kOpenClipWidth = 1024;
  const WeightScope w = clip_text_scope(weights);
  const Shape table = w.require("embeddings.token_embedding.weight").shape;
  const Shape positions = w.require("embeddings.position_embedding.weight").shape;
  const Shape wide = w.require("encoder.layers.0.mlp.fc1.weight").shape;
  if (table.rank() != 2 || positions.rank() != 2 || wide.rank() != 2 || table[1] % kHeadChannels != 0) {
    throw Error(ErrorCode::kUnsupportedArchitecture,
                fmt::format("no known text encoder has a token table of {}", table.text()),
                "give the folder of its config files with --model-config")
        .in_file(weights.source().name())
        .in_tensor(w.full_name("embeddings.token_embedding.weight"));
  }
  ClipTextConfig config;
  config.vocabulary = table[0];
  config.hidden_size = table[1];
  config.heads = table[1] / kHeadChannels;
  config.positions = positions[0];
  config.intermediate_size = wide[0];
  config.layers = 0;
  while (w.has(fmt::format("encoder.layers.{}.mlp.fc1.weight", config.layers))) ++config.layers;
  if (config.hidden_size >= kOpenClipWidth) config.activation = Activation::kGelu;
  if (config.hidden_size == kOpenClipWidth && config.layers == 24) config.layers = 23;
  if (weights.has("text_projection.weight")) {
    config.projection = weights.require("text_projection.weight").shape[0];
  }
  return config;
}

}  // namespace snug
