// The refiner of Stable Diffusion XL, from its base's latents to a picture: against a second implementation
// of its steps (tests/sdxl_reference.h), with a tiny refiner of the published one's structure.
#include <algorithm>
#include <cstdio>
#include <fstream>

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "pipeline/generate.h"
#include "pipeline/make_plan.h"
#include "pipeline/open_model.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"
#include "tests/sdxl_reference.h"
#include "tests/tiny_refiner.h"
#include "weights/name_map.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

using testing::worst_difference;
using Tensors = std::map<std::string, HostTensor>;

constexpr double kLatentsTolerance = 5e-5, kImageTolerance = 1e-5;
constexpr double kGuidance = 5;

RequestFields fields_of(const std::string& model) {
  RequestFields fields;
  fields.model = model;
  fields.prompt = "a red circle over mountains";
  fields.negative_prompt = "snow";
  fields.width = 96;
  fields.height = 64;
  fields.steps = 5;
  fields.guidance_scale = kGuidance;
  fields.sampler = "euler";
  fields.seed = 4;
  return fields;
}

// The latents after the last call that a dump has.
HostTensor last_latents(const Tensors& dump) {
  const HostTensor& all = dump.at("latents");  // [calls,B,C,h,w]
  const Shape& shape = all.shape();
  HostTensor last(DType::kF32, {shape[1], shape[2], shape[3], shape[4]});
  std::copy(all.floats().end() - last.elements(), all.floats().end(), last.floats().begin());
  return last;
}

class SdxlRefiner : public ::testing::Test {
 protected:
  SdxlRefiner() { testing::write_tiny_refiner(refiner_); }

  // What happened in a run.
  Tensors run(RequestFields fields) const {
    fields.dump = place_.path("dump.safetensors");
    generate(fields, {});
    return testing::read_tensors(fields.dump);
  }
  // Where a base stopped, as a file.
  std::string base_latents() const {
    RequestFields base = fields_of(testing::fixtures_dir() + "/sdxl-tiny");
    base.denoising_end = 0.6;
    base.dump = place_.path("base.safetensors");
    generate(base, {});
    return base.dump;
  }
  RequestFields refiner_fields(const std::string& latents) const {
    RequestFields fields = fields_of(refiner_);
    fields.denoising_start = 0.6;
    fields.latents = open_file(latents);
    return fields;
  }

  TemporaryFolder place_;
  std::string refiner_ = place_.path("refiner");
};

struct ScoreCase {
  std::optional<double> score, negative;
  float meant, negative_meant;
};

TEST_F(SdxlRefiner, GoesOnFromTheBasesLatentsAsTheReferenceDoes) {
  const std::string latents = base_latents();
  const Tensors base = testing::read_tensors(latents);
  EXPECT_EQ(base.at("timesteps").floats().size(), 3U);
  std::vector<std::vector<float>> pictures;
  // Stated or not; the negative prompt has a score of its own.
  for (const ScoreCase& scores : {ScoreCase{{}, {}, 6, 2.5F}, {9.0, {}, 9, 2.5F}, {{}, 1.0, 6, 1}}) {
    RequestFields fields = refiner_fields(latents);
    fields.aesthetic_score = scores.score;
    fields.negative_aesthetic_score = scores.negative;
    const Tensors made = run(fields);

    const auto model = open_model(fields);
    ASSERT_EQ(model->description.title, "Stable Diffusion XL refiner");
    ASSERT_EQ(model->description.text_encoders.size(), 1U);
    const Request request = validate_request(fields, *model, cpu_backend());
    const PlannedRun planned = run_without_plan(request, *model, cpu_backend(), {});
    const std::vector<float> numbers = {64, 96, 0, 0, scores.meant},
                             negative = {64, 96, 0, 0, scores.negative_meant};
    const testing::SdxlReference reference(model->description, planned.prompts.front(), kGuidance, numbers,
                                           negative);
    const std::vector<int> all = testing::leading_timesteps(5);
    const auto timesteps = made.at("timesteps").floats();
    ASSERT_TRUE(std::equal(timesteps.begin(), timesteps.end(), all.begin() + 3, all.end()));
    const HostTensor expected = reference.denoise(last_latents(base), std::span(all).last(2));
    const HostTensor picture = reference.decode(expected);
    const double worst = worst_difference(last_latents(made).floats(), expected.floats());
    const double image = worst_difference(made.at("image").floats(), picture.floats());
    std::printf("parity refiner with scores %g and %g: latents %.2g (tolerance %.2g), image %.2g (%.2g)\n",
                static_cast<double>(scores.meant), static_cast<double>(scores.negative_meant), worst,
                kLatentsTolerance, image, kImageTolerance);
    EXPECT_LE(worst, kLatentsTolerance);
    EXPECT_LE(image, kImageTolerance);
    const auto values = made.at("image").floats();
    pictures.emplace_back(values.begin(), values.end());
  }
  // By much more than the comparison allows.
  EXPECT_GT(worst_difference(pictures[0], pictures[1]), 50 * kImageTolerance);
  EXPECT_GT(worst_difference(pictures[0], pictures[2]), 50 * kImageTolerance);
  EXPECT_GT(worst_difference(base.at("image").floats(), pictures[0]), 50 * kImageTolerance);
}

// Its part of the schedule in two runs has the bits of one, with samplers that remember nothing between
// steps.
TEST_F(SdxlRefiner, DividedOnceMoreGivesTheSameBits) {
  const std::string latents = base_latents();
  for (const char* sampler : {"euler", "ddim"}) {
    RequestFields whole = refiner_fields(latents);
    whole.sampler = sampler;
    whole.steps = 10;
    RequestFields first = whole;
    first.denoising_end = 0.8;
    first.dump = place_.path("first.safetensors");
    generate(first, {});
    RequestFields second = whole;
    second.denoising_start = 0.8;
    second.latents = open_file(first.dump);
    const Tensors once = run(whole), twice = run(second);
    EXPECT_EQ(once.at("timesteps").elements(), 4) << sampler;
    EXPECT_EQ(twice.at("timesteps").elements(), 2) << sampler;
    EXPECT_EQ(worst_difference(twice.at("image").floats(), once.at("image").floats()), 0) << sampler;
  }
}

// As its makers publish it: OpenCLIP's encoder is the first of the conditioner's, and the UNet has the
// original names. The text encoder and the autoencoder are in F16 there.
TEST_F(SdxlRefiner, FromASingleFileMakesTheFoldersPicture) {
  const std::string latents = base_latents(), file = place_.path("refiner.safetensors");
  const std::string encoder = "conditioner.embedders.1.model.";
  Tensors tensors;
  for (auto& [name, tensor] : testing::read_fixture("sdxl-tiny/single_file_fp16.safetensors")) {
    if (name.starts_with("first_stage_model.")) tensors[name] = tensor;
    if (name.starts_with(encoder))
      tensors["conditioner.embedders.0.model." + name.substr(encoder.size())] = tensor;
  }
  const Tensors unet = testing::read_tensors(refiner_ + "/unet/diffusion_pytorch_model.safetensors");
  std::vector<std::string> modules;
  for (const auto& [name, tensor] : unet) modules.push_back(name.substr(0, name.rfind('.')));
  const auto originals = original_unet_modules(modules);
  for (const auto& [name, tensor] : unet) {
    const size_t dot = name.rfind('.');
    tensors["model.diffusion_model." + originals.at(name.substr(0, dot)) + name.substr(dot)] = tensor;
  }
  std::ofstream(file, std::ios::binary) << safetensors_bytes(tensors);
  RequestFields fields = refiner_fields(latents);
  const Tensors of_folder = run(fields);
  fields.model = file;
  fields.config = fields.tokenizer = refiner_;
  const double worst = worst_difference(run(fields).at("image").floats(), of_folder.at("image").floats());
  constexpr double kOfHalfFloats = 5e-3;
  std::printf("parity refiner's single file: image %.2g (tolerance %.2g)\n", worst, kOfHalfFloats);
  EXPECT_LE(worst, kOfHalfFloats);
}

}  // namespace
}  // namespace snug
