// LoRAs on Stable Diffusion XL: both text encoders and the UNet, from a folder and from a single file, give
// what the plain model of merged weights gives (tests/merged_lora.h). Every matrix and convolution of the
// three has a product, so none of them can be forgotten, or put in another's place.
#include <algorithm>
#include <array>
#include <cstdio>

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "pipeline/open_model.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"
#include "tests/merged_lora.h"
#include "tests/run_stages.h"

namespace snug {
namespace {

using testing::change_file;
using testing::flat_name;
using testing::LoraStyle;
using testing::module_of;
using testing::Outcome;
using testing::RandomLora;
using testing::StoredPart;
using testing::Tensors;
using testing::worst_difference;

constexpr double kWeight = 0.7;
// Between sums in float and in double, and what a run makes of that. Latents reach 25.
constexpr double kTextTolerance = 1e-5, kLatentsTolerance = 5e-4, kImageTolerance = 5e-5;
// What the LoRA itself must change.
constexpr double kClearly = 0.02;

std::string folder() { return testing::fixtures_dir() + "/sdxl-tiny"; }

RequestFields request_of(const std::string& model) {
  RequestFields fields;
  fields.model = model;
  fields.prompt = "a red circle over mountains";
  fields.negative_prompt = "snow";
  fields.width = fields.height = 64;
  fields.steps = 3;
  fields.guidance_scale = 5;
  fields.sampler = "euler";
  fields.seed = 3;
  return fields;
}

RequestFields with_lora(RequestFields fields, const std::string& lora) {
  fields.loras = {lora};
  fields.lora_files = true;
  return fields;
}

Outcome run(const RequestFields& fields) {
  const auto model = open_model(fields);
  for (const LoraOutcome& lora : model->loras) EXPECT_EQ(lora.unused, std::vector<std::string>());
  const Request request = validate_request(fields, *model, cpu_backend());
  BatchNoise noise = noise_of(request);
  return testing::run_stages(request, *model, cpu_backend(), noise);
}

// The worst differences of two runs, by the part of the model in which they arise first.
struct Differences {
  double first_text = 0, second_text = 0, vector = 0, latents = 0, image = 0;
};

Differences between(const Outcome& a, const Outcome& b) {
  Differences found;
  const HostTensor& states = a.conditioning.at(0).values;
  // The first encoder's in front of the second's, whose states are as wide as its vector.
  const auto channels = static_cast<size_t>(states.shape()[2]),
             first_channels = channels - static_cast<size_t>(a.conditioning.at(1).values.shape()[1]);
  const auto left = states.floats(), right = b.conditioning.at(0).values.floats();
  for (size_t row = 0; row < left.size(); row += channels) {
    const auto worst = [&](size_t first, size_t count) {
      return worst_difference(left.subspan(row + first, count), right.subspan(row + first, count));
    };
    found.first_text = std::max(found.first_text, worst(0, first_channels));
    found.second_text = std::max(found.second_text, worst(first_channels, channels - first_channels));
  }
  found.vector = worst_difference(a.conditioning.at(1).values.floats(), b.conditioning.at(1).values.floats());
  found.latents = worst_difference(a.trace.latents.floats(), b.trace.latents.floats());
  found.image = worst_difference(a.images.floats(), b.images.floats());
  return found;
}

void expect_equal(const std::string& name, const Outcome& actual, const Outcome& merged) {
  const Differences d = between(actual, merged);
  std::printf(
      "parity sdxl lora %s: texts %.2g %.2g, vector %.2g (tolerance %.2g), latents %.2g (%.2g), image "
      "%.2g (%.2g)\n",
      name.c_str(), d.first_text, d.second_text, d.vector, kTextTolerance, d.latents, kLatentsTolerance,
      d.image, kImageTolerance);
  EXPECT_LE(d.first_text, kTextTolerance);
  EXPECT_LE(d.second_text, kTextTolerance);
  EXPECT_LE(d.vector, kTextTolerance);
  EXPECT_LE(d.latents, kLatentsTolerance);
  EXPECT_LE(d.image, kImageTolerance);
}

struct Part {
  const char *name, *file, *prefix;  // kohya's
};
constexpr std::array kParts = {
    Part{"text_encoder", "/text_encoder/model.safetensors", "lora_te1_"},
    Part{"text_encoder_2", "/text_encoder_2/model.safetensors", "lora_te2_"},
    Part{"unet", "/unet/diffusion_pytorch_model.safetensors", "lora_unet_"},
};

// The folder's modules by diffusers' names, as either style writes them.
void change_part(RandomLora& lora, LoraStyle style, const std::string& model, const Part& part) {
  change_file(lora, model + part.file, [&](const std::string& tensor) {
    const std::string module = module_of(tensor);
    return style == LoraStyle::kKohya ? part.prefix + flat_name(module)
                                      : part.name + std::string(".") + module;
  });
}

class SdxlLoraStyles : public ::testing::TestWithParam<LoraStyle> {};

TEST_P(SdxlLoraStyles, OfEveryModuleIsTheMergedModel) {
  const TemporaryFolder place;
  const std::string merged = place.path("merged"), file = place.path("all.safetensors");
  testing::copy_model(folder(), merged);
  RandomLora lora(1, GetParam(), kWeight);
  for (const Part& part : kParts) change_part(lora, GetParam(), merged, part);
  EXPECT_GT(lora.modules(), 200U);
  lora.write(file);
  const Outcome plain = run(request_of(folder()));
  const Outcome actual = run(with_lora(request_of(folder()), file + ":0.7"));
  expect_equal(GetParam() == LoraStyle::kKohya ? "kohya" : "peft", actual, run(request_of(merged)));
  const Differences d = between(actual, plain);
  for (const double difference : {d.first_text, d.second_text, d.vector, d.latents, d.image})
    EXPECT_GT(difference, kClearly);
}

INSTANTIATE_TEST_SUITE_P(All, SdxlLoraStyles, ::testing::Values(LoraStyle::kKohya, LoraStyle::kPeft));

// A LoRA of the three, put on one of them at a time.
TEST(SdxlLora, OfOnePartLeavesTheOthersBits) {
  const TemporaryFolder place;
  const Outcome plain = run(request_of(folder()));
  for (const Part& part : kParts) {
    const std::string merged = place.path(part.name), file = place.path("part.safetensors");
    testing::copy_model(folder(), merged);
    RandomLora lora(2, LoraStyle::kKohya, kWeight);
    change_part(lora, LoraStyle::kKohya, merged, part);
    lora.write(file);
    const Outcome actual = run(with_lora(request_of(folder()), file + ":0.7"));
    expect_equal(part.name, actual, run(request_of(merged)));
    const Differences d = between(actual, plain);
    const std::string name = part.name;
    EXPECT_EQ(d.first_text > kClearly, name == "text_encoder") << name;
    EXPECT_EQ(d.first_text == 0, name != "text_encoder") << name;
    EXPECT_EQ(d.second_text > kClearly, name == "text_encoder_2") << name;
    EXPECT_EQ(d.second_text == 0, name != "text_encoder_2") << name;
    EXPECT_EQ(d.vector > kClearly, name == "text_encoder_2") << name;
    EXPECT_EQ(d.vector == 0, name != "text_encoder_2") << name;
    EXPECT_GT(d.latents, kClearly) << name;
  }
}

// What kohya's file has for a tensor of OpenCLIP's encoder, which is named as transformers names it.
const std::map<std::string, std::string> kOpenClipModules = {
    {"attn.out_proj.weight", "self_attn_out_proj"},
    {"mlp.c_fc.weight", "mlp_fc1"},
    {"mlp.c_proj.weight", "mlp_fc2"},
};

void change_open_clip(RandomLora& lora, const std::string& name, HostTensor& tensor) {
  const std::string layers = "transformer.resblocks.";
  if (name == "text_projection") return lora.change("lora_te2_text_projection", tensor, {.transposed = true});
  if (!name.starts_with(layers)) return;
  const std::string number = name.substr(layers.size(), 1), rest = name.substr(layers.size() + 2);
  const std::string layer = "lora_te2_text_model_encoder_layers_" + number + "_";
  if (const auto found = kOpenClipModules.find(rest); found != kOpenClipModules.end()) {
    lora.change(layer + found->second, tensor);
  } else if (rest == "attn.in_proj_weight") {
    const int64_t rows = tensor.shape()[0] / 3;
    lora.change(layer + "self_attn_q_proj", tensor, {.first_row = 0, .rows = rows});
    lora.change(layer + "self_attn_k_proj", tensor, {.first_row = rows, .rows = rows});
    lora.change(layer + "self_attn_v_proj", tensor, {.first_row = 2 * rows, .rows = rows});
  }
}

// The UNet's modules as the file itself names them, as kohya's trainer does.
void change_single_file(RandomLora& lora, Tensors& tensors) {
  const std::string unet = "model.diffusion_model.", first = "conditioner.embedders.0.transformer.",
                    second = "conditioner.embedders.1.model.";
  for (auto& [name, tensor] : tensors) {
    if (name.starts_with(second)) {
      change_open_clip(lora, name.substr(second.size()), tensor);
    } else if (testing::is_product_weight(name, tensor)) {
      const std::string module = module_of(name);
      if (name.starts_with(unet)) lora.change("lora_unet_" + flat_name(module.substr(unet.size())), tensor);
      if (name.starts_with(first)) lora.change("lora_te1_" + flat_name(module.substr(first.size())), tensor);
    }
  }
}

// OpenCLIP's joint query, key and value, of which each has a product of its own, and its projection, which is
// stored by columns.
TEST(SdxlLora, OnASingleFileIsTheMergedFile) {
  const TemporaryFolder place;
  const std::string plain_file = place.path("plain.safetensors"), merged = place.path("merged.safetensors"),
                    file = place.path("all.safetensors");
  Tensors tensors = testing::read_fixture("sdxl-tiny/single_file_fp16.safetensors");
  // Of more precision than the comparison needs.
  for (auto& [name, tensor] : tensors) {
    if (tensor.dtype() == DType::kF16) tensor = tensor.to_f32();
  }
  testing::write_tensors(plain_file, tensors);
  RandomLora lora(3, LoraStyle::kKohya, kWeight);
  change_single_file(lora, tensors);
  EXPECT_GT(lora.modules(), 200U);
  testing::write_tensors(merged, tensors);
  lora.write(file);
  const auto request = [](const std::string& model) {
    RequestFields fields = request_of(model);
    fields.config = fields.tokenizer = folder();
    return fields;
  };
  const Outcome actual = run(with_lora(request(plain_file), file + ":0.7"));
  expect_equal("single file", actual, run(request(merged)));
  const Differences d = between(actual, run(request(plain_file)));
  for (const double difference : {d.first_text, d.second_text, d.vector, d.latents, d.image})
    EXPECT_GT(difference, kClearly);
}

}  // namespace
}  // namespace snug
