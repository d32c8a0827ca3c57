// Whole runs of Stable Diffusion XL against diffusers' pipelines: every case of sdxl-tiny (its README states
// the tolerances), with the noise that the reference drew; and its base and refiner's way of sharing a
// schedule, against one run of the whole.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "pipeline/added_numbers.h"
#include "pipeline/open_model.h"
#include "pipeline/parameters.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"
#include "tests/part_values.h"
#include "tests/run_stages.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

using testing::backend_named;
using testing::Outcome;
using testing::read_fixture;
using testing::read_fixture_json;
using testing::relative_distance;
using testing::run_stages;
using testing::worst_difference;
using testing::worst_level;
using Tensors = std::map<std::string, HostTensor>;

constexpr double kTextTolerance = 1e-4, kLatentsTolerance = 2e-3, kImageTolerance = 5e-4, kLevels = 1;

std::string folder() { return testing::fixtures_dir() + "/sdxl-tiny"; }

// Hands out the recorded noise in order.
class RecordedNoise final : public NoiseSource {
 public:
  explicit RecordedNoise(std::vector<HostTensor> draws) : draws_(std::move(draws)) {}
  void draw(std::span<float> out) override {
    const HostTensor& noise = draws_.at(next_++);
    std::copy(noise.floats().begin(), noise.floats().end(), out.begin());
  }

 private:
  std::vector<HostTensor> draws_;
  size_t next_ = 0;
};

std::optional<SizePair> pair_of(const nlohmann::json& json, const char* key) {
  if (!json.contains(key)) return std::nullopt;
  return json.at(key).get<SizePair>();
}

RequestFields fields_of(const nlohmann::json& json) {
  RequestFields fields;
  fields.model = folder();
  fields.prompt = json.at("prompt");
  if (json.contains("negative_prompt"))
    fields.negative_prompt = json.at("negative_prompt").get<std::string>();
  if (json.contains("prompt_2")) fields.prompt_2 = json.at("prompt_2").get<std::string>();
  if (json.contains("width")) fields.width = json.at("width").get<int64_t>();
  if (json.contains("height")) fields.height = json.at("height").get<int64_t>();
  fields.steps = json.at("num_inference_steps").get<int64_t>();
  fields.guidance_scale = json.at("guidance_scale").get<double>();
  fields.seed = 1;
  fields.sampler = "euler";
  fields.truncate_prompt = true;
  fields.original_size = pair_of(json, "original_size");
  fields.crops_coords_top_left = pair_of(json, "crops_coords_top_left");
  fields.target_size = pair_of(json, "target_size");
  fields.negative_original_size = pair_of(json, "negative_original_size");
  fields.negative_crops_coords_top_left = pair_of(json, "negative_crops_coords_top_left");
  fields.negative_target_size = pair_of(json, "negative_target_size");
  return fields;
}

class SdxlPipeline : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  // Against the embeddings that the pipeline used: the negative prompt's first.
  static void compare_conditioning(const std::string& name, const Conditioning& conditioning,
                                   const Tensors& tensors) {
    for (const auto& [index, positive, negative] :
         {std::tuple{size_t{0}, "prompt_embeds", "negative_prompt_embeds"},
          {size_t{1}, "pooled_prompt_embeds", "negative_pooled_prompt_embeds"}}) {
      if (!tensors.contains(positive)) continue;
      const auto values = conditioning.at(index).values.floats();
      const size_t half = values.size() / 2;
      const double worst = std::max(worst_difference(values.first(half), tensors.at(negative).floats()),
                                    worst_difference(values.last(half), tensors.at(positive).floats()));
      std::printf("parity %s: %s worst %.2g (tolerance %.2g)\n", name.c_str(), positive, worst,
                  kTextTolerance);
      EXPECT_LE(worst, kTextTolerance);
    }
  }

  static double worst_latents(const DenoiseTrace& trace, const Tensors& tensors) {
    double worst = 0;
    const int64_t steps = trace.latents.shape()[0];
    const auto size = static_cast<size_t>(trace.latents.elements() / steps);
    for (int64_t i = 0; i < steps; ++i) {
      const HostTensor& expected = tensors.at("latents." + std::to_string(i));
      worst = std::max(worst,
                       worst_difference(trace.latents.floats().subspan(static_cast<size_t>(i) * size, size),
                                        expected.floats()));
    }
    EXPECT_FALSE(tensors.contains("latents." + std::to_string(steps))) << "the reference made more steps";
    return worst;
  }
};

TEST_P(SdxlPipeline, GivesDiffusersLatentsAndPicture) {
  const auto& [name, backend_name] = GetParam();
  const Backend& backend = backend_named(backend_name);
  const auto json = read_fixture_json("sdxl-tiny/cases/cases.json").at(name);
  const Tensors tensors = read_fixture("sdxl-tiny/cases/" + name + ".safetensors");
  RequestFields fields = fields_of(json);
  if (name.starts_with("single_file")) {
    fields.model = folder() + "/single_file_fp16.safetensors";
    fields.config = folder();
    fields.tokenizer = folder();
  }
  std::vector<HostTensor> draws;
  if (tensors.contains("image_in")) {
    fields.height = tensors.at("image_in").shape()[0];
    fields.width = tensors.at("image_in").shape()[1];
  }
  const auto model = open_model(fields);
  Request request = validate_request(fields, *model, backend);
  if (tensors.contains("image_in")) {
    request.image = testing::encoder_image(tensors.at("image_in"));
    request.strength = json.at("strength");
    draws = {tensors.at("posterior_noise"), tensors.at("noise")};
  } else {
    request.latents = tensors.at("latents_in");
  }
  RecordedNoise noise(std::move(draws));
  const Outcome outcome = run_stages(request, *model, backend, noise);
  compare_conditioning(name, outcome.conditioning, tensors);
  const double latents = worst_latents(outcome.trace, tensors);
  // [1,3,H,W] beside [H,W,3].
  HostTensor image = testing::encoder_image(tensors.at("image"));
  for (float& value : image.floats()) value = (value + 1) / 2;
  const double picture = worst_difference(outcome.images.floats(), image.floats());
  const double level = worst_level(outcome.images, tensors.at("image_u8"));
  std::printf("parity %s %s: latents worst %.2g (tolerance %.2g), image %.2g (%.2g), levels %.0f (%.0f)\n",
              name.c_str(), backend_name.c_str(), latents, kLatentsTolerance, picture, kImageTolerance, level,
              kLevels);
  EXPECT_LE(latents, kLatentsTolerance);
  EXPECT_LE(picture, kImageTolerance);
  EXPECT_LE(level, kLevels);
}

std::string case_name(const ::testing::TestParamInfo<SdxlPipeline::ParamType>& chosen) {
  return std::get<0>(chosen.param) + "_" + std::get<1>(chosen.param);
}

INSTANTIATE_TEST_SUITE_P(All, SdxlPipeline,
                         ::testing::Combine(::testing::Values("txt2img", "txt2img_sizes",
                                                              "txt2img_two_prompts", "img2img",
                                                              "single_file_txt2img"),
                                            ::testing::Values("cpu")),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Reference, SdxlPipeline,
                         ::testing::Combine(::testing::Values("txt2img_sizes"),
                                            ::testing::Values("reference")),
                         case_name);

TEST(SdxlInBf16, StaysAsCloseAsPyTorchDoes) {
  const std::vector<DType> available = cpu_backend().precisions();
  if (std::find(available.begin(), available.end(), DType::kBF16) == available.end()) {
    GTEST_SKIP() << "this machine does not compute in bf16";
  }
  constexpr double kImageInBf16 = 0.08;  // of the fixture's README
  const Tensors tensors = read_fixture("sdxl-tiny/cases/txt2img.safetensors");
  RequestFields fields = fields_of(read_fixture_json("sdxl-tiny/cases/cases.json").at("txt2img"));
  fields.precision = "bf16";
  const auto model = open_model(fields);
  Request request = validate_request(fields, *model, cpu_backend());
  request.latents = tensors.at("latents_in");
  RecordedNoise noise({});
  const Outcome outcome = run_stages(request, *model, cpu_backend(), noise);
  HostTensor image = testing::encoder_image(tensors.at("image"));
  for (float& value : image.floats()) value = (value + 1) / 2;
  const double error = testing::relative_distance(outcome.images.floats(), image.floats());
  std::printf("parity txt2img bf16: image %.2g (tolerance %.2g)\n", error, kImageInBf16);
  EXPECT_LE(error, kImageInBf16);
}

Error error_of(const RequestFields& fields) {
  try {
    validate_request(fields, *open_model(fields), cpu_backend());
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorCode::kInternal, "");
}

RequestFields small_fields() {
  return fields_of(read_fixture_json("sdxl-tiny/cases/cases.json").at("txt2img"));
}

// Two models that share a schedule: what one leaves the other goes on from. With one model as both the
// result is that of a run of the whole, bit for bit.
TEST(SharedSchedule, TheSecondModelGoesOnWhereTheFirstStopped) {
  const RequestFields fields = small_fields();
  const auto model = open_model(fields);
  const auto run = [&](const RequestFields& part) {
    const Request request = validate_request(part, *model, cpu_backend());
    BatchNoise noise = noise_of(request);
    return run_stages(request, *model, cpu_backend(), noise);
  };
  const Outcome whole = run(fields);
  RequestFields first = fields, second = fields;
  first.denoising_end = second.denoising_start = 0.6;
  const Outcome base = run(first);
  const int64_t base_steps = base.trace.latents.shape()[0];
  EXPECT_EQ(base_steps, 3);
  const std::string file =
      (std::filesystem::temp_directory_path() / "snug-shared-schedule.safetensors").string();
  std::ofstream(file, std::ios::binary)
      << safetensors_bytes({{"init_latents", base.trace.init_latents}, {"latents", base.trace.latents}});
  second.latents = open_file(file);
  const Outcome refined = run(second);
  std::filesystem::remove(file);
  EXPECT_EQ(refined.trace.latents.shape()[0], 5 - base_steps);
  const auto expected = whole.images.floats(), made = refined.images.floats();
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), made.begin(), made.end()));
}

TEST(SdxlRequest, SizesOfTheNegativePromptAreThoseOfThePrompt) {
  RequestFields fields = small_fields();
  fields.original_size = SizePair{96, 128};
  fields.negative_crops_coords_top_left = SizePair{1, 2};
  const auto model = open_model(fields);
  const Request request = validate_request(fields, *model, cpu_backend());
  EXPECT_EQ(added_numbers(request, model->description, PromptSide::kPositive),
            (std::vector<float>{96, 128, 0, 0, 64, 96}));
  EXPECT_EQ(added_numbers(request, model->description, PromptSide::kNegative),
            (std::vector<float>{96, 128, 1, 2, 64, 96}));
}

TEST(SdxlRequest, ARefinerTakesAScoreInPlaceOfTheTarget) {
  RequestFields fields = small_fields();
  fields.crops_coords_top_left = SizePair{3, 4};
  const auto model = open_model(fields);
  Request request = validate_request(fields, *model, cpu_backend());
  ModelDescription refiner = model->description;
  refiner.unet.added.numbers = 5;
  EXPECT_EQ(added_numbers(request, refiner, PromptSide::kPositive), (std::vector<float>{64, 96, 3, 4, 6}));
  EXPECT_EQ(added_numbers(request, refiner, PromptSide::kNegative), (std::vector<float>{64, 96, 3, 4, 2.5F}));
  request.sizes.aesthetic_score = 7;
  EXPECT_EQ(added_numbers(request, refiner, PromptSide::kPositive).back(), 7);
  EXPECT_EQ(added_numbers(request, refiner, PromptSide::kNegative).back(), 2.5F);
}

// The settings inside a picture make it again.
TEST(SdxlRequest, ComesBackFromAPicturesMetadata) {
  RequestFields fields = small_fields();
  fields.negative_prompt.reset();
  fields.prompt_2 = "snow";
  fields.original_size = SizePair{96, 128};
  fields.negative_crops_coords_top_left = SizePair{1, 2};
  fields.denoising_end = 0.5;
  const auto model = open_model(fields);
  const Request request = validate_request(fields, *model, cpu_backend());
  const RequestFields again = fields_from_metadata(picture_metadata(request, fields, 0), "picture");
  EXPECT_FALSE(again.negative_prompt.has_value());
  EXPECT_EQ(again.prompt_2, fields.prompt_2);
  EXPECT_EQ(again.original_size, fields.original_size);
  EXPECT_EQ(again.negative_crops_coords_top_left, fields.negative_crops_coords_top_left);
  EXPECT_EQ(again.denoising_end, fields.denoising_end);
  fields.negative_prompt = "";
  const Request empty = validate_request(fields, *model, cpu_backend());
  EXPECT_EQ(fields_from_metadata(picture_metadata(empty, fields, 0), "picture").negative_prompt, "");
}

TEST(SdxlRequest, WhatAModelDoesNotTakeIsRefused) {
  const auto refused = [](auto change, const std::string& model) {
    RequestFields fields = small_fields();
    fields.model = model;
    change(fields);
    EXPECT_EQ(error_of(fields).code(), ErrorCode::kInvalidArgument) << model;
  };
  refused([](RequestFields& f) { f.aesthetic_score = 6; }, folder());
  refused([](RequestFields& f) { f.original_size = SizePair{0, 64}; }, folder());
  refused([](RequestFields& f) { f.clip_skip = 3; }, folder());  // of the first encoder's three layers
  refused([](RequestFields& f) { f.denoising_start = 0.5; }, folder());
  refused([](RequestFields& f) { f.denoising_end = 1.5; }, folder());
  const std::string other = testing::fixtures_dir() + "/sd15-tiny/model";
  refused([](RequestFields& f) { f.prompt_2 = "a castle"; }, other);
  refused([](RequestFields& f) { f.original_size = SizePair{64, 64}; }, other);
  refused([](RequestFields& f) { f.target_size = SizePair{64, 64}; }, other);
}

// A long prompt of one encoder gives the other empty chunks: both stand beside each other.
TEST(SdxlRequest, PromptsOfDifferentLengthsGetAsManyChunks) {
  RequestFields fields = small_fields();
  fields.truncate_prompt = false;
  fields.prompt_2 = "red";
  for (int i = 0; i < 40; ++i) fields.prompt += " circle mountains";
  const auto model = open_model(fields);
  const PlannedRun run =
      run_without_plan(validate_request(fields, *model, cpu_backend()), *model, cpu_backend(), {});
  EXPECT_GT(run.chunks(), 1);
  for (const PromptPair& pair : run.prompts.front().pairs) {
    EXPECT_EQ(static_cast<int64_t>(pair.positive.ids.size()), run.chunks());
    EXPECT_EQ(static_cast<int64_t>(pair.negative.ids.size()), run.chunks());
  }
}

}  // namespace
}  // namespace snug
