// Every name of the layouts against lists made by diffusers' own converters: the tiny fixture (keys.json)
// and the real SD1.5 (manifests), so that the derived block structure is right at two sizes.
#include "weights/name_map.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/fixtures.h"

namespace snug {
namespace {

std::vector<StoredTensor> named(const std::vector<std::string>& names) {
  std::vector<StoredTensor> tensors;
  for (const std::string& name : names) tensors.push_back({.name = name});
  return tensors;
}

// Diffusers' name by stored name. Slices of one tensor appear as "a|b|c".
std::map<std::string, std::string> mapped(const std::vector<std::string>& names,
                                          NameMappings (*map)(StoredTensors)) {
  const std::vector<StoredTensor> tensors = named(names);
  std::map<std::string, std::string> out;
  for (const NameMapping& mapping : map(tensors)) {
    std::string& entry = out[tensors[mapping.stored].name];
    entry += (entry.empty() ? "" : "|") + mapping.name;
  }
  return out;
}

struct Row {
  const char* part;
  const char* prefix;
  NameMappings (*map)(StoredTensors);
};

constexpr Row kRows[] = {
    {"unet", "model.diffusion_model.", map_original_unet},
    {"vae", "first_stage_model.", map_original_vae},
    {"text_encoder", "cond_stage_model.transformer.", map_clip},
};

TEST(NameMapTest, EveryKeyOfTheTinySingleFile) {
  const auto keys = testing::read_fixture_json("sd15-tiny/single-file/keys.json");
  size_t checked = 0;
  for (const Row& row : kRows) {
    const std::string part = std::string(row.part) + "/";
    std::map<std::string, std::string> expected;  // diffusers' name by stored name without its prefix
    std::vector<std::string> stored;
    for (const auto& [ours, theirs] : keys.items()) {
      if (!ours.starts_with(part)) continue;
      const auto name = theirs.get<std::string>().substr(std::string_view(row.prefix).size());
      expected[name] = ours.substr(part.size());
      stored.push_back(name);
    }
    EXPECT_EQ(mapped(stored, row.map), expected) << row.part;
    checked += expected.size();
  }
  EXPECT_EQ(checked, keys.size());
}

TEST(NameMapTest, RealSizeSD15IsABijectionWithEqualElementCounts) {
  const auto single = testing::read_fixture_json("manifests/sd15.single_file.json")["tensors"];
  size_t used = 0;
  for (const Row& row : kRows) {
    const auto part =
        testing::read_fixture_json(std::string("manifests/sd15.") + row.part + ".json")["tensors"];
    std::vector<StoredTensor> stored;
    for (const auto& [name, info] : single.items()) {
      if (!name.starts_with(row.prefix)) continue;
      const auto extents = info[1].get<std::vector<int64_t>>();
      stored.push_back(
          {.name = name.substr(std::string_view(row.prefix).size()), .shape = Shape(std::span(extents))});
    }
    std::set<std::string> reached;
    for (const NameMapping& mapping : row.map(stored)) {
      ++used;
      EXPECT_TRUE(reached.insert(mapping.name).second) << mapping.name << " is reached twice";
      ASSERT_TRUE(part.contains(mapping.name)) << stored[mapping.stored].name << " became " << mapping.name;
      const auto extents = part[mapping.name][1].get<std::vector<int64_t>>();
      const Shape& shape = stored[mapping.stored].shape;
      EXPECT_EQ(shape.elements(), Shape(std::span(extents)).elements()) << mapping.name;
      if (!mapping.as_matrix) {
        EXPECT_EQ(shape, Shape(std::span(extents))) << mapping.name;
      }
    }
    EXPECT_EQ(reached.size(), part.size()) << row.part;
  }
  EXPECT_EQ(used + 1, single.size()) << "all but position_ids, which is no weight";
}

TEST(NameMapTest, UnetStructureFollowsFromTheNamesNotFromATable) {
  // Two levels of one layer, attention in the second only, as no released model has it.
  const auto out = mapped(
      {
          "input_blocks.0.0.weight",
          "input_blocks.1.0.in_layers.2.weight",
          "input_blocks.2.0.op.bias",
          "input_blocks.3.0.skip_connection.weight",
          "input_blocks.3.1.transformer_blocks.0.attn1.to_q.weight",
          "middle_block.0.out_layers.3.bias",
          "middle_block.1.proj_in.weight",
          "middle_block.2.emb_layers.1.weight",
          "output_blocks.0.0.in_layers.0.weight",
          "output_blocks.0.1.norm.weight",
          "output_blocks.1.0.in_layers.0.weight",
          "output_blocks.1.1.norm.weight",
          "output_blocks.1.2.conv.weight",
          "output_blocks.2.0.in_layers.0.weight",
          "label_emb.0.2.weight",
          "unknown.weight",
          "input_blocks.9999.0.in_layers.0.weight",
          "input_blocks.x.0.in_layers.0.weight",
      },
      map_original_unet);
  const std::map<std::string, std::string> expected = {
      {"input_blocks.0.0.weight", "conv_in.weight"},
      {"input_blocks.1.0.in_layers.2.weight", "down_blocks.0.resnets.0.conv1.weight"},
      {"input_blocks.2.0.op.bias", "down_blocks.0.downsamplers.0.conv.bias"},
      {"input_blocks.3.0.skip_connection.weight", "down_blocks.1.resnets.0.conv_shortcut.weight"},
      {"input_blocks.3.1.transformer_blocks.0.attn1.to_q.weight",
       "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight"},
      {"middle_block.0.out_layers.3.bias", "mid_block.resnets.0.conv2.bias"},
      {"middle_block.1.proj_in.weight", "mid_block.attentions.0.proj_in.weight"},
      {"middle_block.2.emb_layers.1.weight", "mid_block.resnets.1.time_emb_proj.weight"},
      {"output_blocks.0.0.in_layers.0.weight", "up_blocks.0.resnets.0.norm1.weight"},
      {"output_blocks.0.1.norm.weight", "up_blocks.0.attentions.0.norm.weight"},
      {"output_blocks.1.0.in_layers.0.weight", "up_blocks.0.resnets.1.norm1.weight"},
      {"output_blocks.1.1.norm.weight", "up_blocks.0.attentions.1.norm.weight"},
      {"output_blocks.1.2.conv.weight", "up_blocks.0.upsamplers.0.conv.weight"},
      {"output_blocks.2.0.in_layers.0.weight", "up_blocks.1.resnets.0.norm1.weight"},
      {"label_emb.0.2.weight", "add_embedding.linear_2.weight"},
  };
  EXPECT_EQ(out, expected);
}

TEST(NameMapTest, OpenClipSplitsTheJointProjection) {
  const auto out = mapped(
      {"token_embedding.weight", "positional_embedding", "ln_final.bias", "text_projection", "logit_scale",
       "transformer.resblocks.22.attn.in_proj_weight", "transformer.resblocks.0.attn.in_proj_bias",
       "transformer.resblocks.0.attn.out_proj.weight", "transformer.resblocks.0.mlp.c_fc.weight",
       "transformer.resblocks.0.mlp.c_proj.bias", "transformer.resblocks.0.ln_1.weight"},
      map_open_clip);
  const std::map<std::string, std::string> expected = {
      {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
      {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
      {"ln_final.bias", "text_model.final_layer_norm.bias"},
      {"text_projection", "text_projection.weight"},
      {"transformer.resblocks.22.attn.in_proj_weight",
       "text_model.encoder.layers.22.self_attn.q_proj.weight|text_model.encoder.layers.22.self_attn.k_proj."
       "weight|"
       "text_model.encoder.layers.22.self_attn.v_proj.weight"},
      {"transformer.resblocks.0.attn.in_proj_bias",
       "text_model.encoder.layers.0.self_attn.q_proj.bias|text_model.encoder.layers.0.self_attn.k_proj.bias|"
       "text_model.encoder.layers.0.self_attn.v_proj.bias"},
      {"transformer.resblocks.0.attn.out_proj.weight",
       "text_model.encoder.layers.0.self_attn.out_proj.weight"},
      {"transformer.resblocks.0.mlp.c_fc.weight", "text_model.encoder.layers.0.mlp.fc1.weight"},
      {"transformer.resblocks.0.mlp.c_proj.bias", "text_model.encoder.layers.0.mlp.fc2.bias"},
      {"transformer.resblocks.0.ln_1.weight", "text_model.encoder.layers.0.layer_norm1.weight"},
  };
  EXPECT_EQ(out, expected);
}

TEST(NameMapTest, TextEncoderWithAndWithoutItsPrefixIsTheSame) {
  EXPECT_EQ(mapped({"embeddings.token_embedding.weight", "encoder.layers.0.mlp.fc1.bias",
                    "final_layer_norm.bias", "embeddings.position_ids"},
                   map_clip),
            (std::map<std::string, std::string>{
                {"embeddings.token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
                {"encoder.layers.0.mlp.fc1.bias", "text_model.encoder.layers.0.mlp.fc1.bias"},
                {"final_layer_norm.bias", "text_model.final_layer_norm.bias"}}));
  EXPECT_EQ(mapped({"text_model.final_layer_norm.bias", "text_projection.weight"}, map_clip),
            (std::map<std::string, std::string>{
                {"text_model.final_layer_norm.bias", "text_model.final_layer_norm.bias"},
                {"text_projection.weight", "text_projection.weight"}}));
}

TEST(NameMapTest, OldAutoencoderAttentionNames) {
  EXPECT_EQ(
      mapped({"decoder.mid_block.attentions.0.query.weight", "decoder.mid_block.attentions.0.proj_attn.bias",
              "decoder.mid_block.attentions.0.group_norm.bias", "decoder.conv_in.weight"},
             map_diffusers),
      (std::map<std::string, std::string>{
          {"decoder.mid_block.attentions.0.query.weight", "decoder.mid_block.attentions.0.to_q.weight"},
          {"decoder.mid_block.attentions.0.proj_attn.bias", "decoder.mid_block.attentions.0.to_out.0.bias"},
          {"decoder.mid_block.attentions.0.group_norm.bias",
           "decoder.mid_block.attentions.0.group_norm.bias"},
          {"decoder.conv_in.weight", "decoder.conv_in.weight"}}));
}

TEST(NameMapTest, TinyAutoencoderPositionsShiftInTheDecoderOnly) {
  EXPECT_EQ(mapped({"1.weight", "3.conv.0.weight", "19.bias"}, map_original_tiny_vae),
            (std::map<std::string, std::string>{{"1.weight", "decoder.layers.0.weight"},
                                                {"3.conv.0.weight", "decoder.layers.2.conv.0.weight"},
                                                {"19.bias", "decoder.layers.18.bias"}}));
  EXPECT_EQ(mapped({"0.weight", "1.conv.0.weight", "2.weight"}, map_original_tiny_vae),
            (std::map<std::string, std::string>{{"0.weight", "encoder.layers.0.weight"},
                                                {"1.conv.0.weight", "encoder.layers.1.conv.0.weight"},
                                                {"2.weight", "encoder.layers.2.weight"}}));
  EXPECT_EQ(mapped({"encoder.0.weight", "decoder.1.weight", "decoder.0.weight"}, map_original_tiny_vae),
            (std::map<std::string, std::string>{{"encoder.0.weight", "encoder.layers.0.weight"},
                                                {"decoder.1.weight", "decoder.layers.0.weight"}}));
}

// Wan's own names are what LoRAs' names are made of, which the lora fixtures check against PyTorch.
TEST(NameMapTest, WansOwnNamesReachEveryTensorOfDiffusers) {
  const auto manifest = testing::read_fixture_json("manifests/wan22_i2v_a14b.transformer.json")["tensors"];
  std::vector<std::string> modules, stored;
  std::map<std::string, std::string> expected;
  for (const auto& [name, info] : manifest.items()) {
    // A table of scales is its own module; others end in ".weight" or ".bias".
    const size_t dot = name.ends_with("scale_shift_table") ? name.size() : name.rfind('.');
    const std::string module = name.substr(0, dot);
    const auto theirs = original_wan_modules({module});
    ASSERT_EQ(theirs.size(), 1U) << name;
    stored.push_back("model.diffusion_model." + theirs.at(module) + name.substr(dot));
    EXPECT_TRUE(expected.emplace(stored.back(), name).second) << stored.back();
  }
  EXPECT_GT(expected.size(), 1000U);
  EXPECT_EQ(mapped(stored, map_original_wan), expected);
  EXPECT_TRUE(is_original_wan("blocks.0.self_attn.q.weight"));
  EXPECT_FALSE(is_original_wan("blocks.0.attn1.to_q.weight"));
}

}  // namespace
}  // namespace snug
