// What a video model refuses, in words that say what would do: folders that are not whole, lengths, sizes,
// pictures and texts that it cannot take.
#include "pipeline/validate_clip.h"

#include <fstream>
#include <functional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "base/error.h"
#include "base/temporary_folder.h"
#include "media/encode_picture.h"
#include "pipeline/open_model.h"
#include "pipeline/parameters.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

RequestFields fields_of(const std::string& model) {
  RequestFields fields;
  fields.model = testing::fixtures_dir() + "/wan-tiny-" + model;
  fields.prompt = "a fox";
  fields.frames = 5;
  return fields;
}

std::shared_ptr<const ByteSource> flat_picture(int64_t width, int64_t height) {
  Picture picture;
  picture.width = width;
  picture.height = height;
  picture.rgb.assign(static_cast<size_t>(3 * width * height), 100);
  auto bytes = std::make_shared<std::vector<std::byte>>(encode_picture(picture, PictureFormat::kPng));
  std::shared_ptr<const ByteSource> view = view_memory("start.png", *bytes);
  return {view.get(), [bytes, view](const ByteSource*) {}};
}

Request valid(const RequestFields& fields) {
  return validate_request(fields, *open_model(fields), cpu_backend());
}

// The whole line of the error that `act` throws; empty without one.
std::string refused(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_FALSE(error.fix().empty()) << error.what();
    return error.what();
  }
  return {};
}

bool says(const std::string& line, std::string_view part) { return line.find(part) != std::string::npos; }

// A copy of the model with two experts, changed.
std::string changed_folder(const TemporaryFolder& place, const std::function<void(const fs::path&)>& change) {
  const fs::path folder = place.path() / "model";
  fs::remove_all(folder);
  fs::copy(testing::fixtures_dir() + "/wan-tiny-t2v", folder, fs::copy_options::recursive);
  change(folder);
  return folder.string();
}

void set_boundary(const fs::path& folder, const nlohmann::json& value) {
  const fs::path path = folder / "model_index.json";
  nlohmann::json index = nlohmann::json::parse(std::ifstream(path));
  index["boundary_ratio"] = value;
  std::ofstream(path) << index;
}

TEST(VideoFolder, WithoutOneOfItsExpertsIsRefusedByName) {
  const TemporaryFolder place;
  RequestFields fields;
  fields.model = changed_folder(place, [](const fs::path& at) { fs::remove_all(at / "transformer_2"); });
  EXPECT_TRUE(says(refused([&] { open_model(fields); }), "transformer_2"));
  fields.model = changed_folder(place, [](const fs::path& at) {
    fs::remove(at / "transformer_2/diffusion_pytorch_model.safetensors");
  });
  EXPECT_TRUE(says(refused([&] { open_model(fields); }), "transformer_2"));
  fields.model = changed_folder(place, [](const fs::path& at) { fs::remove_all(at / "transformer"); });
  EXPECT_TRUE(says(refused([&] { open_model(fields); }), "transformer"));
}

TEST(VideoFolder, WithABoundaryThatDividesNothingIsRefused) {
  const TemporaryFolder place;
  for (const double boundary : {-0.1, 1.5, 1e300}) {
    RequestFields fields;
    fields.model = changed_folder(place, [&](const fs::path& at) { set_boundary(at, boundary); });
    EXPECT_TRUE(says(refused([&] { open_model(fields); }), "boundary_ratio is")) << boundary;
  }
  RequestFields fields;
  fields.model = changed_folder(place, [&](const fs::path& at) { set_boundary(at, nullptr); });
  EXPECT_TRUE(says(refused([&] { open_model(fields); }), "no boundary_ratio"));
}

TEST(VideoRequest, NamesTheNearestLengthsAndSizes) {
  RequestFields fields = fields_of("t2v");
  fields.frames = 6;
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "use 5 or 9"));
  for (const int64_t frames : {int64_t{0}, int64_t{-4}, INT64_MAX}) {
    fields.frames = frames;
    EXPECT_TRUE(says(refused([&] { valid(fields); }), "from 1 to")) << frames;
  }
  fields.frames = 5;
  fields.width = 100;
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "use 96 or 112"));
}

TEST(VideoRequest, APictureOfAnotherShapeIsRefusedAndNotStretched) {
  RequestFields fields = fields_of("i2v");
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "--image"));
  fields.image = flat_picture(512, 64);
  fields.width = fields.height = 64;
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "512x64 and the clip 64x64"));
  fields.image = flat_picture(68, 64);
  EXPECT_EQ(refused([&] { valid(fields); }), "") << "a few pixels that the model's factor takes";
  fields.last_image = flat_picture(64, 200);
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "the last picture is 64x200"));
}

TEST(VideoRequest, WithoutASizeHasThePicturesShapeInTheModelsNumberOfPixels) {
  RequestFields fields = fields_of("i2v");
  fields.image = flat_picture(96, 64);
  Request request = valid(fields);
  EXPECT_EQ(request.width, 96);
  EXPECT_EQ(request.height, 64);
  fields.image = flat_picture(1600, 1200);
  request = valid(fields);
  EXPECT_EQ(request.width % 16, 0);
  EXPECT_EQ(request.height % 16, 0);
  EXPECT_NEAR(static_cast<double>(request.width * request.height), 832.0 * 480, 0.05 * 832 * 480);
  EXPECT_NEAR(static_cast<double>(request.width) / static_cast<double>(request.height), 4.0 / 3, 0.05);
}

TEST(VideoRequest, APictureForAModelOfTextsAloneIsRefused) {
  RequestFields fields = fields_of("t2v");
  fields.image = flat_picture(64, 64);
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "texts alone"));
  fields = fields_of("ti2v");
  fields.image = fields.last_image = flat_picture(64, 64);
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "last frame"));
  fields = fields_of("ti2v");
  fields.guidance_scale_2 = 3;
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "no second expert"));
}

TEST(VideoRequest, HasItsMakersTwoScalesUnlessOneIsStated) {
  RequestFields fields = fields_of("t2v");
  EXPECT_EQ(valid(fields).guidance_scale, 4);
  EXPECT_EQ(valid(fields).guidance_scale_2, 3);
  fields.guidance_scale = 6;
  EXPECT_EQ(valid(fields).guidance_scale_2, 6) << "as diffusers' pipeline does";
  fields.guidance_scale_2 = 2;
  EXPECT_EQ(valid(fields).guidance_scale_2, 2);
}

TEST(VideoRequest, WhatAFlowHasNoUseForIsRefusedAndNotDropped) {
  RequestFields fields = fields_of("t2v");
  fields.clip_skip = 2;
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "--clip-skip"));
  fields = fields_of("t2v");
  fields.schedule = "karras";
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "no schedule"));
  fields.schedule.reset();
  fields.sampler = "heun";
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "use unipc, flow_euler"));
}

TEST(VideoRequest, SamplersHaveTheNamesThatComfyUisGraphsOfWanUse) {
  RequestFields fields = fields_of("t2v");
  fields.sampler = "euler";
  EXPECT_EQ(valid(fields).sampler_name, "flow_euler");
  fields.sampler = "uni_pc";
  fields.schedule = "simple";
  EXPECT_EQ(valid(fields).sampler_name, "unipc");
}

TEST(VideoRequest, StatesTheShiftOfItsNoise) {
  RequestFields fields = fields_of("t2v");
  const double own = valid(fields).sampler.flow_shift;
  fields.flow_shift = own + 2;
  EXPECT_EQ(valid(fields).sampler.flow_shift, own + 2);
  const RequestFields again = fields_from_metadata(picture_metadata(valid(fields), fields, 0), "clip");
  EXPECT_EQ(again.flow_shift, own + 2);
  fields.flow_shift = 0;
  EXPECT_TRUE(says(refused([&] { valid(fields); }), "flow shift is 0"));
  RequestFields picture;
  picture.flow_shift = 3;
  EXPECT_TRUE(says(refused([&] { valid(picture); }), "not shifted"));
}

}  // namespace
}  // namespace snug
