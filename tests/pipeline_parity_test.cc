// Whole runs against diffusers' pipelines: every case of sd15-tiny and of the embedded model, on both
// backends, with the noise that the reference drew.
#include <cstdio>

#include <gtest/gtest.h>

#include "base/parallel.h"
#include "pipeline/open_model.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"
#include "tests/run_stages.h"

namespace snug {
namespace {

using testing::backend_named;
using testing::fixtures_dir;
using testing::Outcome;
using testing::read_fixture;
using testing::read_fixture_json;
using testing::run_stages;
using testing::worst_difference;
using testing::worst_level;
using Tensors = std::map<std::string, HostTensor>;

// Hands out the recorded noise in order.
class RecordedNoise final : public NoiseSource {
 public:
  RecordedNoise(const Tensors& tensors, bool skip_first) : tensors_(tensors), next_(skip_first ? 1 : 0) {}
  void draw(std::span<float> out) override {
    const HostTensor& noise = tensors_.at("noise." + std::to_string(next_++));
    std::copy(noise.floats().begin(), noise.floats().end(), out.begin());
  }

 private:
  const Tensors& tensors_;
  int next_;
};

class Sd15Pipeline : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(Sd15Pipeline, GivesDiffusersLatentsAndPicture) {
  const auto& [name, backend_name] = GetParam();
  const Backend& backend = backend_named(backend_name);
  std::string text = testing::read_fixture_bytes("sd15-tiny/cases/" + name + ".json");
  const size_t infinity =
      text.find("-Infinity");  // as Python writes it; the default, which null states as well
  if (infinity != std::string::npos) text.replace(infinity, 9, "null");
  const auto json = nlohmann::json::parse(text);
  const Tensors tensors = read_fixture("sd15-tiny/cases/" + name + ".safetensors");

  RequestFields fields;
  fields.model = fixtures_dir() + "/sd15-tiny/model";
  const bool two_prompts = json.at("prompt").is_array();
  if (!two_prompts) {
    fields.prompt = json.at("prompt");
    if (json.at("negative_prompt").is_string()) fields.negative_prompt = json.at("negative_prompt");
  }
  fields.width = json.at("width");
  fields.height = json.at("height");
  fields.steps = json.at("num_inference_steps");
  fields.guidance_scale = json.at("guidance_scale");
  fields.seed = json.at("seed");
  for (size_t i = 0; two_prompts && i < json.at("prompt").size(); ++i) {
    PictureFields& picture = fields.pictures.emplace_back();
    picture.prompt = json.at("prompt")[i];
    picture.negative_prompt = json.at("negative_prompt")[i];
  }
  fields.truncate_prompt = true;
  const auto model = open_model(fields);
  Request request = validate_request(fields, *model, backend);
  nlohmann::json scheduler = json.at("scheduler");
  scheduler["_class_name"] = json.at("scheduler_class");
  request.sampler = parse_scheduler_config(scheduler.dump());
  if (json.contains("strength")) request.strength = json.at("strength");
  if (tensors.contains("image_in")) {
    request.image = tensors.at("image_in");
    for (float& value : request.image.floats()) value = 2 * value - 1;
  }
  if (tensors.contains("mask_image")) {
    request.mask = tensors.at("mask_image");
    for (float& value : request.mask.floats()) value = value >= 0.5F ? 1.0F : 0.0F;
  }
  if (tensors.contains("init_latents")) request.latents = tensors.at("init_latents");

  RecordedNoise noise(tensors, false);
  const Outcome outcome = run_stages(request, *model, backend, noise);
  const double latents = worst_difference(outcome.trace.latents.floats(), tensors.at("latents").floats());
  const double image = worst_difference(outcome.images.floats(), tensors.at("image").floats());
  const double level = worst_level(outcome.images, tensors.at("image_u8"));
  const auto& tolerance = json.at("tolerance");
  std::printf("parity %s %s: latents worst %.2g (tolerance %.2g), image %.2g (%.2g), levels %.0f (%d)\n",
              name.c_str(), backend_name.c_str(), latents, tolerance.at("latents").get<double>(), image,
              tolerance.at("image").get<double>(), level, tolerance.at("image_u8").get<int>());
  EXPECT_LE(latents, tolerance.at("latents").get<double>());
  EXPECT_LE(image, tolerance.at("image").get<double>());
  EXPECT_LE(level, tolerance.at("image_u8").get<double>());
}

std::string case_name(const ::testing::TestParamInfo<Sd15Pipeline::ParamType>& chosen) {
  return std::get<0>(chosen.param) + "_" + std::get<1>(chosen.param);
}

INSTANTIATE_TEST_SUITE_P(
    All, Sd15Pipeline,
    ::testing::Combine(::testing::Values("pipeline_batch2", "pipeline_ddim", "pipeline_dpmpp2m_karras",
                                         "pipeline_euler", "pipeline_euler_a", "pipeline_euler_seed",
                                         "pipeline_img2img", "pipeline_img2img_euler", "pipeline_inpaint",
                                         "pipeline_inpaint_partial", "pipeline_nocfg", "pipeline_pndm"),
                       ::testing::Values("cpu")),
    case_name);

// The reference kernels are slow; two cases meet every operation.
INSTANTIATE_TEST_SUITE_P(Reference, Sd15Pipeline,
                         ::testing::Combine(::testing::Values("pipeline_nocfg", "pipeline_inpaint_partial"),
                                            ::testing::Values("reference")),
                         case_name);

class EmbeddedModel : public ::testing::TestWithParam<int> {};

TEST_P(EmbeddedModel, MakesDiffusersPictureFromTheSeedAlone) {
  const auto json = read_fixture_json("tiny-model/expected/cases.json").at(static_cast<size_t>(GetParam()));
  const Tensors tensors = read_fixture("tiny-model/expected/" + json.at("file").get<std::string>());
  RequestFields fields;
  fields.prompt = json.at("prompt");
  fields.negative_prompt = json.at("negative_prompt");
  fields.width = json.at("width");
  fields.height = json.at("height");
  fields.steps = json.at("steps");
  fields.guidance_scale = json.at("guidance_scale");
  fields.seed = json.at("seed");
  fields.sampler = json.at("sampler");
  // cases.json says "euler" here, but the latents follow Karras sigmas (8.99, 6.34, ...): the reference made
  // this case's scheduler from the one before it, whose use_karras_sigmas it kept.
  if (json.at("file") == "2.safetensors") fields.sampler = "euler_karras";
  const auto model = open_model(fields);
  const Request request = validate_request(fields, *model, cpu_backend());
  BatchNoise noise = noise_of(request);
  const Outcome outcome = run_stages(request, *model, cpu_backend(), noise);
  const auto expected = tensors.at("latents").floats();
  const auto [least, most] = std::minmax_element(expected.begin(), expected.end());
  const double tolerance = 2e-3 * static_cast<double>(*most - *least);
  const double init =
      worst_difference(outcome.trace.init_latents.floats(), tensors.at("init_latents").floats());
  const double latents = worst_difference(outcome.trace.latents.floats(), expected);
  const double level = worst_level(outcome.images, tensors.at("image_u8"));
  std::printf(
      "parity tiny-landscapes %d: init latents worst %.2g, latents %.2g (tolerance %.2g), levels %.0f (2)\n",
      GetParam(), init, latents, tolerance, level);
  EXPECT_LE(init, 2e-6);
  EXPECT_LE(latents, tolerance);
  EXPECT_LE(level, 2);
}

INSTANTIATE_TEST_SUITE_P(All, EmbeddedModel, ::testing::Range(0, 4));

}  // namespace
}  // namespace snug
