// Every configuration that contradicts itself, is out of range, or asks for what Snug has no code for must be
// refused with the right word, and never with anything but snug::Error.
#include "models/autoencoder_kl/config.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/autoencoder_tiny/config.h"
#include "models/clip_text/config.h"
#include "models/umt5/config.h"
#include "models/unet/config.h"
#include "models/unet/unet.h"
#include "tests/manifest_weights.h"

namespace snug {
namespace {

using nlohmann::json;

enum class Part { kText, kUmt5, kUnet, kVae, kTiny };

json good_config(Part part) {
  switch (part) {
    case Part::kText: return json::parse(testing::manifest_config("sd15.text_encoder"));
    case Part::kUmt5: return json::parse(testing::manifest_config("umt5_xxl.text_encoder"));
    case Part::kUnet: return json::parse(testing::manifest_config("sd15.unet"));
    case Part::kVae: return json::parse(testing::manifest_config("sd15.vae"));
    case Part::kTiny: break;
  }
  return json::parse(R"({"_class_name": "AutoencoderTiny", "act_fn": "relu", "latent_channels": 4,
    "encoder_block_out_channels": [64, 64, 64, 64], "decoder_block_out_channels": [64, 64, 64, 64],
    "num_encoder_blocks": [1, 3, 3, 3], "num_decoder_blocks": [3, 3, 3, 1], "upsampling_scaling_factor": 2})");
}

// "ok", or the word of the error.
std::string outcome(Part part, const std::string& text) {
  const ConfigText config{"config.json", text};
  try {
    switch (part) {
      case Part::kText: parse_clip_text_config(config); break;
      case Part::kUmt5: parse_umt5_config(config); break;
      case Part::kUnet: parse_unet_config(config); break;
      case Part::kVae: parse_autoencoder_kl_config(config); break;
      case Part::kTiny: parse_autoencoder_tiny_config(config); break;
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.file(), "config.json");
    EXPECT_FALSE(error.fix().empty());
    return std::string(error.word());
  }
  return "ok";
}

struct Case {
  Part part;
  const char* key;
  const char* value;  // JSON; "-" removes the key
  const char* word;
};

const Case kCases[] = {
    {Part::kUnet, "_class_name", "\"UNet2DConditionModel\"", "ok"},
    {Part::kUnet, "mid_block_type", "-", "ok"},
    {Part::kUnet, "attention_head_dim", "[5, 10, 20, 20]", "ok"},
    {Part::kUnet, "transformer_layers_per_block", "[1, 2, 3, 4]", "ok"},
    {Part::kUnet, "layers_per_block", "[1, 2, 3, 4]", "ok"},
    {Part::kUnet, "use_linear_projection", "true", "ok"},
    {Part::kUnet, "resnet_out_scale_factor", "1", "ok"},
    {Part::kUnet, "upcast_attention", "true", "ok"},
    {Part::kUnet, "block_out_channels", "-", "bad_config"},
    {Part::kUnet, "block_out_channels", "\"many\"", "bad_config"},
    {Part::kUnet, "block_out_channels", "[]", "bad_config"},
    {Part::kUnet, "block_out_channels", "[320, 640, 1280]", "bad_config"},
    {Part::kUnet, "block_out_channels", "[320, 640, 1280, 2147483648]", "bad_config"},
    {Part::kUnet, "block_out_channels", "[320, 640, 1280, 18446744073709551615]", "bad_config"},
    {Part::kUnet, "block_out_channels", "[320, 640, 1280, 1e300]", "bad_config"},
    {Part::kUnet, "block_out_channels", "[320, 640, 1280, -1280]", "bad_config"},
    {Part::kUnet, "block_out_channels", "[320, 640, 1280, 1281]", "bad_config"},
    {Part::kUnet, "block_out_channels", "[320, 640, 1280, [1280]]", "bad_config"},
    {Part::kUnet, "norm_num_groups", "0", "bad_config"},
    {Part::kUnet, "norm_num_groups", "7", "bad_config"},
    {Part::kUnet, "norm_eps", "\"small\"", "bad_config"},
    {Part::kUnet, "norm_eps", "-1", "bad_config"},
    {Part::kUnet, "attention_head_dim", "0", "bad_config"},
    {Part::kUnet, "attention_head_dim", "7", "bad_config"},
    {Part::kUnet, "attention_head_dim", "[8, 8, 8]", "bad_config"},
    {Part::kUnet, "layers_per_block", "1000000", "bad_config"},
    {Part::kUnet, "use_linear_projection", "1", "bad_config"},
    {Part::kUnet, "freq_shift", "5", "bad_config"},
    {Part::kUnet, "sample_size", "0", "bad_config"},
    {Part::kUnet, "_class_name", "\"UNet3DConditionModel\"", "unsupported_architecture"},
    {Part::kUnet, "mid_block_type", "\"UNetMidBlock2D\"", "unsupported_architecture"},
    {Part::kUnet, "addition_embed_type", "\"image\"", "unsupported_architecture"},
    {Part::kUnet, "addition_embed_type", "\"text_time\"", "bad_config"},  // and no widths of it
    {Part::kUnet, "class_embed_type", "\"timestep\"", "unsupported_architecture"},
    {Part::kUnet, "time_cond_proj_dim", "256", "unsupported_architecture"},
    {Part::kUnet, "only_cross_attention", "true", "unsupported_architecture"},
    {Part::kUnet, "resnet_time_scale_shift", "\"scale_shift\"", "unsupported_architecture"},
    {Part::kUnet, "act_fn", "\"mish\"", "unsupported_architecture"},
    {Part::kUnet, "conv_in_kernel", "1", "unsupported_architecture"},
    {Part::kUnet, "down_block_types", R"(["DownBlock2D", "DownBlock2D", "DownBlock2D", "Fold"])",
     "unsupported_architecture"},
    {Part::kUnet, "down_block_types", R"(["DownBlock2D", "DownBlock2D", "DownBlock2D", 3])", "bad_config"},
    {Part::kText, "hidden_act", "\"gelu\"", "ok"},
    {Part::kText, "hidden_act", "\"mish\"", "unsupported_architecture"},
    {Part::kText, "architectures", R"(["T5EncoderModel"])", "unsupported_architecture"},
    {Part::kText, "architectures", "-", "ok"},
    {Part::kText, "num_attention_heads", "7", "bad_config"},
    {Part::kText, "num_attention_heads", "0", "bad_config"},
    {Part::kText, "hidden_size", "true", "bad_config"},
    {Part::kText, "hidden_size", "-", "bad_config"},
    {Part::kText, "vocab_size", "9223372036854775807", "bad_config"},
    {Part::kText, "num_hidden_layers", "0", "bad_config"},
    {Part::kUmt5, "d_kv", "32", "ok"},
    {Part::kUmt5, "relative_attention_num_buckets", "-", "ok"},
    {Part::kUmt5, "d_model", "-", "bad_config"},
    {Part::kUmt5, "num_layers", "0", "bad_config"},
    {Part::kUmt5, "num_heads", "-1", "bad_config"},
    {Part::kUmt5, "layer_norm_epsilon", "0", "bad_config"},
    {Part::kUmt5, "relative_attention_num_buckets", "30", "bad_config"},
    {Part::kUmt5, "relative_attention_max_distance", "8", "bad_config"},
    {Part::kUmt5, "feed_forward_proj", "\"relu\"", "unsupported_architecture"},
    {Part::kUmt5, "dense_act_fn", "\"silu\"", "unsupported_architecture"},
    {Part::kUmt5, "architectures", R"(["T5EncoderModel"])", "unsupported_architecture"},
    {Part::kVae, "block_out_channels", "[128]", "bad_config"},
    {Part::kVae, "norm_num_groups", "48", "bad_config"},
    {Part::kVae, "latent_channels", "16", "ok"},
    {Part::kVae, "latent_channels", "0", "bad_config"},
    {Part::kVae, "in_channels", "4", "bad_config"},
    {Part::kVae, "scaling_factor", "0", "bad_config"},
    {Part::kVae, "scaling_factor", "1e999", "bad_config"},
    {Part::kVae, "shift_factor", "0.1", "unsupported_architecture"},
    {Part::kVae, "latents_mean", "[0, 0, 0, 0]", "unsupported_architecture"},
    {Part::kVae, "mid_block_add_attention", "false", "ok"},
    {Part::kVae, "up_block_types",
     R"(["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "AttnUpDecoderBlock2D"])",
     "unsupported_architecture"},
    {Part::kTiny, "act_fn", "\"relu\"", "ok"},
    {Part::kTiny, "act_fn", "\"silu\"", "unsupported_architecture"},
    {Part::kTiny, "num_decoder_blocks", "[3, 3, 3]", "bad_config"},
    {Part::kTiny, "num_encoder_blocks", "[1, 3, 3, 0]", "bad_config"},
    {Part::kTiny, "decoder_block_out_channels", "[64, 64, 64, 32]", "unsupported_architecture"},
    {Part::kTiny, "upsampling_scaling_factor", "3", "unsupported_architecture"},
};

// The text of a good configuration with one value replaced, which need not be valid JSON as a number.
std::string with(Part part, const Case& c) {
  json config = good_config(part);
  if (std::string_view(c.value) == "-") {
    config.erase(c.key);
    return config.dump();
  }
  config[c.key] = "PLACE";
  std::string text = config.dump();
  return text.replace(text.find("\"PLACE\""), 7, c.value);
}

TEST(PartConfig, EachWrongFieldIsRefusedWithItsWord) {
  for (const Case& c : kCases) {
    EXPECT_EQ(outcome(c.part, with(c.part, c)), c.word) << c.key << " = " << c.value;
  }
}

TEST(PartConfig, MalformedTextsAreBadConfigs) {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  for (const Part part : {Part::kText, Part::kUnet, Part::kVae, Part::kTiny}) {
    for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("null"),
                                    std::string("{}"), std::string("{\"a\": \xff}"), deep}) {
      EXPECT_EQ(outcome(part, text), "bad_config") << text.substr(0, 20);
    }
    EXPECT_EQ(outcome(part, good_config(part).dump()), "ok");
    EXPECT_EQ(outcome(part, std::string(size_t{2} << 20, ' ')), "too_large");
  }
}

TEST(UnetConfig, HeadsAndBlocksGoToTheRightLevels) {
  json config = good_config(Part::kUnet);
  config["attention_head_dim"] = {5, 10, 20, 20};
  const UnetConfig unet = parse_unet_config({"config.json", config.dump()});
  ASSERT_EQ(unet.levels.size(), 4U);
  EXPECT_EQ(unet.levels[1].heads, 10);
  EXPECT_TRUE(unet.levels[0].attention_down && unet.levels[0].attention_up);
  EXPECT_FALSE(unet.levels[3].attention_down || unet.levels[3].attention_up);
}

TEST(InferredConfig, TensorsOfPublishedModelsGiveTheirPublishedConfiguration) {
  const auto unet_weights = testing::manifest_weights("sd15.unet");
  const UnetConfig unet = infer_unet_config(WeightScope(unet_weights));
  const UnetConfig stated = parse_unet_config({"", testing::manifest_config("sd15.unet")});
  ASSERT_EQ(unet.levels.size(), stated.levels.size());
  for (size_t i = 0; i < stated.levels.size(); ++i) {
    EXPECT_EQ(unet.levels[i].channels, stated.levels[i].channels);
    EXPECT_EQ(unet.levels[i].layers, stated.levels[i].layers);
    EXPECT_EQ(unet.levels[i].heads, stated.levels[i].heads);
    EXPECT_EQ(unet.levels[i].transformer_layers, stated.levels[i].transformer_layers);
    EXPECT_EQ(unet.levels[i].attention_down, stated.levels[i].attention_down);
    EXPECT_EQ(unet.levels[i].attention_up, stated.levels[i].attention_up);
  }
  EXPECT_EQ(unet.cross_attention_dim, 768);
  EXPECT_FALSE(unet.linear_projection);

  const auto text_weights = testing::manifest_weights("sd15.text_encoder");
  const ClipTextConfig text = infer_clip_text_config(WeightScope(text_weights));
  EXPECT_EQ(text.vocabulary, 49408);
  EXPECT_EQ(text.layers, 12);
  EXPECT_EQ(text.heads, 12);
  EXPECT_EQ(text.intermediate_size, 3072);
  EXPECT_EQ(text.activation, Activation::kQuickGelu);

  const auto vae_weights = testing::manifest_weights("sd15.vae");
  const AutoencoderKlConfig vae = infer_autoencoder_kl_config(WeightScope(vae_weights));
  EXPECT_EQ(vae.channels, (std::vector<int64_t>{128, 256, 512, 512}));
  EXPECT_EQ(vae.layers, 2);
  EXPECT_EQ(vae.factor(), 8);
  EXPECT_TRUE(vae.quant_conv && vae.post_quant_conv && vae.mid_attention);
}

// SD2.x differs from SD1.x in matrices for projections, wider text, and heads of 64 channels.
TEST(InferredConfig, SecondGenerationIsToldByItsProjections) {
  auto weights = testing::manifest_weights("sd15.unet");
  for (auto& [name, info] : weights.tensors) {
    const bool projection = name.ends_with("proj_in.weight") || name.ends_with("proj_out.weight");
    if (projection) info.shape = Shape{info.shape[0], info.shape[1]};
    if (name.ends_with("attn2.to_k.weight") || name.ends_with("attn2.to_v.weight")) info.shape.set(1, 1024);
  }
  const UnetConfig unet = infer_unet_config(WeightScope(weights));
  EXPECT_TRUE(unet.linear_projection);
  EXPECT_EQ(unet.cross_attention_dim, 1024);
  std::vector<int64_t> heads;
  for (const UnetLevel& level : unet.levels) heads.push_back(level.heads);
  EXPECT_EQ(heads, (std::vector<int64_t>{5, 10, 20, 20}));
  Graph graph;
  GraphBuilder b(graph);
  build_unet(b, unet, WeightScope(weights), {.batch = 2, .height = 96, .width = 96});
  EXPECT_EQ(graph.value(graph.outputs()[0]).shape, (Shape{2, 4, 96, 96}));
}

TEST(InferredConfig, RelativesThatNeedOtherCodeAreNamed) {
  auto weights = testing::manifest_weights("sd15.unet");
  weights.tensors["class_embedding.linear_1.weight"] = {DType::kF16, Shape{1280, 2816}};
  try {
    infer_unet_config(WeightScope(weights));
    FAIL() << "a UNet with class embeddings was taken for SD1.x's";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupportedArchitecture);
    EXPECT_NE(error.problem().find("class embeddings"), std::string::npos);
  }
}

}  // namespace
}  // namespace snug
