#include "tests/tiny_refiner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "tests/fixtures.h"
#include "weights/safetensors_write.h"

namespace snug::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::array<int64_t, 4> kChannels = {8, 16, 24, 24};
constexpr std::array<bool, 4> kHasAttention = {false, true, true, false};
constexpr int64_t kGroups = 4, kNumbers = 5, kTime = 4 * kChannels[0];
constexpr int64_t kLayers = 2, kTransformerLayers = 2, kLevels = 4;

// What the fixture's second text encoder gives, and the channels beside it.
int64_t text_width() {
  return read_fixture_json("sdxl-tiny/text_encoder_2/config.json").at("hidden_size").get<int64_t>();
}
int64_t added_width() {
  const auto config = read_fixture_json("sdxl-tiny/unet/config.json");
  return text_width() + kNumbers * config.at("addition_time_embed_dim").get<int64_t>();
}

std::string numbered(const std::string& name, int64_t number) { return name + "." + std::to_string(number); }

// The tensors of diffusers' UNet2DConditionModel with that configuration.
class UnetTensors {
 public:
  UnetTensors() {
    product("conv_in", {kChannels[0], 4, 3, 3});
    product("time_embedding.linear_1", {kTime, kChannels[0]});
    product("time_embedding.linear_2", {kTime, kTime});
    product("add_embedding.linear_1", {kTime, added_width()});
    product("add_embedding.linear_2", {kTime, kTime});
    for (int64_t level = 0; level < kLevels; ++level) down(level);
    const int64_t inner = kChannels.back();
    resnet("mid_block.resnets.0", inner, inner);
    transformer("mid_block.attentions.0", inner);
    resnet("mid_block.resnets.1", inner, inner);
    for (int64_t level = kLevels - 1; level >= 0; --level) up(level);
    norm("conv_norm_out", kChannels[0]);
    product("conv_out", {4, kChannels[0], 3, 3});
  }

  TensorsByName tensors;

 private:
  static int64_t channels(int64_t level) { return kChannels[static_cast<size_t>(level)]; }
  static bool attends(int64_t level) { return kHasAttention[static_cast<size_t>(level)]; }

  void random(const std::string& name, const Shape& shape, float mean, double deviation) {
    std::normal_distribution<double> normal(mean, deviation);
    HostTensor tensor(DType::kF32, shape);
    for (float& value : tensor.floats()) value = static_cast<float>(normal(random_));
    tensors.emplace(name, std::move(tensor));
  }
  void matrix(const std::string& module, const Shape& shape) {
    const auto inputs = static_cast<double>(shape.elements() / shape[0]);
    random(module + ".weight", shape, 0, 1 / std::sqrt(inputs));
  }
  void product(const std::string& module, const Shape& shape) {
    matrix(module, shape);
    random(module + ".bias", {shape[0]}, 0, 0.1);
  }
  void norm(const std::string& module, int64_t width) {
    random(module + ".weight", {width}, 1, 0.1);
    random(module + ".bias", {width}, 0, 0.1);
  }

  void resnet(const std::string& module, int64_t in, int64_t out) {
    norm(module + ".norm1", in);
    product(module + ".conv1", {out, in, 3, 3});
    product(module + ".time_emb_proj", {out, kTime});
    norm(module + ".norm2", out);
    product(module + ".conv2", {out, out, 3, 3});
    if (in != out) product(module + ".conv_shortcut", {out, in, 1, 1});
  }

  void transformer(const std::string& module, int64_t width) {
    norm(module + ".norm", width);
    product(module + ".proj_in", {width, width});
    for (int64_t i = 0; i < kTransformerLayers; ++i) {
      const std::string block = numbered(module + ".transformer_blocks", i);
      for (const char* name : {".norm1", ".norm2", ".norm3"}) norm(block + name, width);
      for (const auto& [name, context] : {std::pair{".attn1", width}, {".attn2", text_}}) {
        matrix(block + name + ".to_q", {width, width});
        matrix(block + name + ".to_k", {width, context});
        matrix(block + name + ".to_v", {width, context});
        product(block + name + ".to_out.0", {width, width});
      }
      product(block + ".ff.net.0.proj", {8 * width, width});
      product(block + ".ff.net.2", {width, 4 * width});
    }
    product(module + ".proj_out", {width, width});
  }

  void down(int64_t level) {
    const std::string block = numbered("down_blocks", level);
    const int64_t out = channels(level), in = channels(std::max<int64_t>(level - 1, 0));
    for (int64_t i = 0; i < kLayers; ++i) {
      resnet(numbered(block + ".resnets", i), i == 0 ? in : out, out);
      if (attends(level)) transformer(numbered(block + ".attentions", i), out);
    }
    if (level + 1 < kLevels) product(block + ".downsamplers.0.conv", {out, out, 3, 3});
  }

  void up(int64_t level) {
    const std::string block = numbered("up_blocks", kLevels - 1 - level);
    const int64_t out = channels(level), from = channels(std::min(level + 1, kLevels - 1));
    const int64_t outer = channels(std::max<int64_t>(level - 1, 0));
    for (int64_t i = 0; i <= kLayers; ++i) {
      const int64_t skip = i == kLayers ? outer : out;
      resnet(numbered(block + ".resnets", i), (i == 0 ? from : out) + skip, out);
      if (attends(level)) transformer(numbered(block + ".attentions", i), out);
    }
    if (level > 0) product(block + ".upsamplers.0.conv", {out, out, 3, 3});
  }

  const int64_t text_ = text_width();
  std::mt19937 random_{23};
};

nlohmann::json unet_config() {
  nlohmann::json config = read_fixture_json("sdxl-tiny/unet/config.json");
  config["block_out_channels"] = kChannels;
  config["down_block_types"] = {"DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"};
  config["up_block_types"] = {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"};
  config["attention_head_dim"] = {1, 2, 3, 3};
  config["transformer_layers_per_block"] = kTransformerLayers;
  config["cross_attention_dim"] = text_width();
  config["layers_per_block"] = kLayers;
  config["norm_num_groups"] = kGroups;
  config["projection_class_embeddings_input_dim"] = added_width();
  return config;
}

nlohmann::json model_index() {
  nlohmann::json index = read_fixture_json("sdxl-tiny/model_index.json");
  index["_class_name"] = "StableDiffusionXLImg2ImgPipeline";
  index["requires_aesthetics_score"] = true;
  index["force_zeros_for_empty_prompt"] = false;
  for (const char* part : {"text_encoder", "tokenizer"}) index[part] = {nullptr, nullptr};
  return index;
}

}  // namespace

void write_tiny_refiner(const std::string& folder) {
  const fs::path to = folder;
  for (const char* part : {"text_encoder_2", "tokenizer_2", "vae", "scheduler"}) {
    fs::create_directories(to / part);
    fs::copy(fs::path(fixtures_dir()) / "sdxl-tiny" / part, to / part, fs::copy_options::recursive);
  }
  fs::create_directories(to / "unet");
  std::ofstream(to / "model_index.json") << model_index();
  std::ofstream(to / "unet/config.json") << unet_config();
  std::ofstream file(to / "unet/diffusion_pytorch_model.safetensors", std::ios::binary);
  write_safetensors(file, UnetTensors().tensors);
}

}  // namespace snug::testing
