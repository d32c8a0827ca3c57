// Stable Diffusion XL through the program: every flag that it takes beside those of other models, a model in
// two files' forms, pictures to begin from, and two runs that share a schedule.
#include "tests/fixtures.h"
#include "tests/flag_case.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::exit_code_of;
using testing::expect_refusal;
using testing::fixtures_dir;
using testing::FlagCase;
using testing::library_bytes;

RequestFields small_request() {
  RequestFields fields;
  fields.model = fixtures_dir() + "/sdxl-tiny";
  fields.prompt = "a red circle on blue";
  fields.negative_prompt = "rain";
  fields.width = 64;
  fields.height = 48;
  fields.steps = 3;
  return fields;
}

class SdxlCommand : public testing::FlagTest {
 protected:
  SdxlCommand() : FlagTest(small_request(), ".png") {}
};

TEST_F(SdxlCommand, EachFlagMeansItsFieldIsWrittenDownAndRepeated) {
  EXPECT_TRUE(made("plain", {}) == library_bytes(fields_));
  // Sizes are width by height where people write them, and height, width where the model is told.
  const std::vector<FlagCase> flags = {
      {{"--prompt-2", "snow"}, [](RequestFields& f) { f.prompt_2 = "snow"; }, "prompt_2", "snow"},
      {{"--negative-2", "a lake"},
       [](RequestFields& f) { f.negative_prompt_2 = "a lake"; },
       "negative_prompt_2",
       "a lake"},
      {{"--original-size", "128x96"},
       [](RequestFields& f) {
         f.original_size = SizePair{96, 128};
       },
       "original_size",
       {96, 128}},
      {{"--crop-top-left", "8,16"},
       [](RequestFields& f) {
         f.crops_coords_top_left = SizePair{8, 16};
       },
       "crops_coords_top_left",
       {8, 16}},
      {{"--target-size", "32x24"},
       [](RequestFields& f) {
         f.target_size = SizePair{24, 32};
       },
       "target_size",
       {24, 32}},
      {{"--negative-original-size", "128x96"},
       [](RequestFields& f) {
         f.negative_original_size = SizePair{96, 128};
       },
       "negative_original_size",
       {96, 128}},
      {{"--negative-crop-top-left", "8,16"},
       [](RequestFields& f) {
         f.negative_crops_coords_top_left = SizePair{8, 16};
       },
       "negative_crops_coords_top_left",
       {8, 16}},
      {{"--negative-target-size", "32x24"},
       [](RequestFields& f) {
         f.negative_target_size = SizePair{24, 32};
       },
       "negative_target_size",
       {24, 32}},
      {{"--clip-skip", "2"}, [](RequestFields& f) { f.clip_skip = 2; }, "clip_skip", 2},
      {{"--denoising-end", "0.5"}, [](RequestFields& f) { f.denoising_end = 0.5; }, "denoising_end", 0.5},
  };
  for (const FlagCase& flag : flags) expect_works(flag);
}

TEST_F(SdxlCommand, TheSecondOfTwoRunsGoesOnFromTheDumpOfTheFirst) {
  made("whole", {});
  made("base", {"--denoising-end", "0.6"});
  const std::string refined = made("refined", {"--denoising-start", "0.6", "--latents", dump("base")});
  EXPECT_TRUE(pixels("base") != pixels("whole"));
  EXPECT_TRUE(pixels("refined") == pixels("whole"));
  EXPECT_EQ(settings("refined")["denoising_start"], 0.6);
  EXPECT_EQ(settings("refined")["latents"], dump("base"));
  EXPECT_TRUE(repeated("refined") == refined);
  expect_refusal(run(arguments("none", {"--denoising-start", "0.6"})), exit_code_of("invalid_argument"),
                 {"--latents"});
}

TEST_F(SdxlCommand, PicturesBeginFromPicturesAndAreRepaintedUnderMasks) {
  made("start", {});
  const std::string start = folder_.file("start.png"), mask = fixtures_dir() + "/img/rgba.png";
  const std::string whole = made("whole", {"--image", start, "--strength", "0.7"});
  const std::string part = made("part", {"--image", start, "--strength", "0.7", "--mask", mask});
  RequestFields fields = fields_;
  fields.strength = 0.7;
  fields.image = open_file(start);
  EXPECT_TRUE(whole == library_bytes(fields));
  fields.mask = open_file(mask);
  EXPECT_TRUE(part == library_bytes(fields));
  EXPECT_TRUE(pixels("start") != pixels("whole") && pixels("whole") != pixels("part"));
  EXPECT_EQ(settings("part")["image"], start);
  EXPECT_EQ(settings("part")["mask"], mask);
  EXPECT_TRUE(repeated("part") == part);
}

TEST_F(SdxlCommand, ASingleFileIsTheModelToo) {
  const std::string folder = fields_.model;
  fields_.model = folder + "/single_file_fp16.safetensors";
  const std::string picture = made("single", {"--model-config", folder, "--tokenizer", folder});
  RequestFields fields = fields_;
  fields.config = fields.tokenizer = folder;
  EXPECT_TRUE(picture == library_bytes(fields));
  EXPECT_TRUE(repeated("single") == picture);
}

TEST_F(SdxlCommand, TheModelIsListedByItsNameAndDescribed) {
  const testing::ProgramOptions options{.environment = {{"SNUG_MODEL_FOLDERS", fixtures_dir()}}};
  const json told = json::parse(run({"inspect", "sdxl-tiny", "--json"}, options).out);
  EXPECT_EQ(told["architecture"], "stable_diffusion_xl");
  EXPECT_EQ(told["scheduler"], "EulerDiscreteScheduler");
  const std::string by_path = made("path", {});
  fields_.model = "sdxl-tiny";
  const std::string by_name = made("name", {}, options);
  EXPECT_TRUE(pixels("path") == pixels("name"));
}

TEST_F(SdxlCommand, WhatItCannotDoIsRefusedInOneLine) {
  const auto refused = [&](const std::vector<std::string>& flags, const std::vector<std::string>& texts) {
    expect_refusal(run(arguments("none", flags)), exit_code_of("invalid_argument"), texts);
  };
  refused({"--original-size", "96"}, {"96"});
  refused({"--crop-top-left", "8x16"}, {"--crop-top-left", "8x16", "16,8"});
  refused({"--clip-skip", "9"}, {"clip", "9"});
  refused({"--denoising-end", "1.5"}, {"1.5"});
  refused({"--aesthetic-score", "7"}, {"score"});  // of the refiner, which this is not
  refused({"--last-image", fixtures_dir() + "/img/rgb.png"}, {"--last-image"});
  EXPECT_EQ(folder_.count(), 0U);
  fields_.model = fixtures_dir() + "/sd15-tiny/model";
  refused({"--prompt-2", "snow"}, {"prompt"});
  refused({"--original-size", "64x64"}, {"size"});
}

}  // namespace
}  // namespace snug
