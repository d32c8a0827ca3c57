// Clips through the program: the flags that only they have, the pictures that they begin and end with, and
// what a video model cannot do or lacks, refused by its name.
#include <filesystem>
#include <fstream>

#include "tests/fixtures.h"
#include "tests/flag_case.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::exit_code_of;
using testing::expect_refusal;
using testing::fixtures_dir;
using testing::library_bytes;
using testing::ProgramResult;

std::string model(const std::string& name) { return fixtures_dir() + "/wan-tiny-" + name; }

RequestFields small_clip() {
  RequestFields fields;
  fields.model = model("t2v");
  fields.prompt = "a red fox";
  fields.width = 48;
  fields.height = 32;
  fields.frames = 5;
  fields.steps = 4;  // of two experts the second has the last
  return fields;
}

class ClipCommand : public testing::FlagTest {
 protected:
  ClipCommand() : FlagTest(small_clip(), ".mp4") {}

  // Of the small clip with these flags.
  void expect_clip_refused(const std::vector<std::string>& flags,
                           const std::vector<std::string>& texts) const {
    expect_refusal(run(arguments("none", flags)), exit_code_of("invalid_argument"), texts);
  }
  // A copy of the model, to take something away from.
  fs::path torn_model() const {
    fs::path folder = folder_.path() / "model";
    fs::copy(model("t2v"), folder, fs::copy_options::recursive);
    return folder;
  }
};

TEST_F(ClipCommand, TheSecondExpertHasItsOwnGuidanceOrThatOfTheFirst) {
  made("plain", {"--guidance", "3"});
  fields_.guidance_scale = 3;
  made("same", {"--guidance", "3", "--guidance-2", "3"});
  EXPECT_TRUE(drawn("same") == drawn("plain"));
  expect_works({{"--guidance", "3", "--guidance-2", "2"},
                [](RequestFields& f) { f.guidance_scale_2 = 2; },
                "guidance_scale_2",
                2});
}

TEST_F(ClipCommand, BeginsWithAPictureAndEndsWithAnother) {
  fields_.model = model("i2v");
  const std::string first = model("i2v") + "/cases/image.png", last = model("i2v") + "/cases/last_image.png";
  const std::string begun = made("begun", {"--image", first});
  made("other", {"--image", last});
  const std::string both = made("both", {"--image", first, "--last-image", last});
  EXPECT_TRUE(drawn("begun") != drawn("other") && drawn("begun") != drawn("both"));
  RequestFields fields = fields_;
  fields.image = open_file(first);
  EXPECT_TRUE(begun == library_bytes(fields));
  fields.last_image = open_file(last);
  EXPECT_TRUE(both == library_bytes(fields));
  EXPECT_EQ(settings("both")["image"], first);
  EXPECT_EQ(settings("both")["last_image"], last);
  EXPECT_FALSE(settings("begun").contains("last_image"));

  expect_clip_refused({}, {"picture", "--image"});
  expect_clip_refused({"--last-image", last}, {"--image"});
  std::swap(fields_.width, fields_.height);
  expect_clip_refused({"--image", first}, {"48x32", "32x48", "stretched"});
}

TEST_F(ClipCommand, OfOneExpertBeginsWithAPictureOrATextAlone) {
  fields_.model = model("ti2v");
  fields_.width = 96;
  fields_.height = 64;
  const std::string image = model("ti2v") + "/cases/image.png";
  const std::string of_text = made("text", {});
  const std::string of_picture = made("picture", {"--image", image});
  EXPECT_TRUE(of_text == library_bytes(fields_));
  EXPECT_TRUE(drawn("picture") != drawn("text"));
  RequestFields fields = fields_;
  fields.image = open_file(image);
  EXPECT_TRUE(of_picture == library_bytes(fields));
  EXPECT_TRUE(repeated("text") == of_text);
  expect_clip_refused({"--image", image, "--last-image", image}, {"last"});
  expect_clip_refused({"--guidance-2", "3"}, {"second expert"});
}

TEST_F(ClipCommand, WhatTheModelCannotDoIsRefusedInOneLine) {
  const std::string picture = fixtures_dir() + "/img/rgb.png";
  expect_clip_refused({"--image", picture}, {"--image"});
  expect_clip_refused({"--denoising-end", "0.5"}, {"schedule"});
  expect_clip_refused({"--fps", "0"}, {"frames per second is 0"});
  fields_.frames = 10;
  expect_clip_refused({}, {"10 frames", "9 or 13"});
  fields_.frames = 9;
  fields_.width = 90;
  expect_clip_refused({}, {"80 or 96"});
  EXPECT_EQ(folder_.count(), 0U);
}

TEST_F(ClipCommand, APromptOfMoreThanTheModelsTokensIsRefusedNamingTheLimit) {
  fields_.prompt.clear();
  for (int i = 0; i < 600; ++i) fields_.prompt += "fox ";
  expect_clip_refused({}, {"the prompt has ", " tokens, the most is 512", "shorten it"});
  ProgramResult planned = run({"plan", fields_.prompt, "--model", fields_.model});
  EXPECT_EQ(planned.exit_code, exit_code_of("invalid_argument")) << planned.err;
  const ProgramResult cut = run(arguments("cut", {"--truncate-prompt", "--json"}));
  ASSERT_EQ(cut.exit_code, 0) << cut.out;
  EXPECT_GT(json::parse(cut.out)["dropped_tokens"], 0);

  fields_.negative_prompt = std::exchange(fields_.prompt, "a red fox");
  expect_clip_refused({}, {"the negative prompt has ", "the most is 512"});
}

TEST_F(ClipCommand, AModelWithoutOneOfItsExpertsIsRefusedByItsName) {
  const fs::path folder = torn_model();
  fields_.model = folder.string();
  const auto refused = [&](const std::string& part) {
    for (const auto& arguments : {this->arguments("none", {}), std::vector<std::string>{"inspect", folder}}) {
      expect_refusal(run(arguments), exit_code_of("missing_file"), {part});
    }
  };
  fs::rename(folder / "transformer_2/diffusion_pytorch_model.safetensors", folder_.path() / "weights");
  refused("transformer_2");
  fs::remove_all(folder / "transformer_2");
  refused("transformer_2");
  fs::rename(folder / "transformer", folder / "transformer_2");
  refused("transformer");
}

TEST_F(ClipCommand, ABoundaryOutsideOfTheStepsIsRefusedByItsName) {
  const fs::path folder = torn_model();
  fields_.model = folder.string();
  json index = json::parse(std::ifstream(folder / "model_index.json"));
  for (const double boundary : {1.5, -0.25}) {
    index["boundary_ratio"] = boundary;
    std::ofstream(folder / "model_index.json") << index;
    expect_refusal(run(arguments("none", {})), exit_code_of("bad_config"),
                   {"boundary_ratio is " + json(boundary).dump(), "model"});
  }
}

}  // namespace
}  // namespace snug
