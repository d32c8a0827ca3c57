// A checkpoint in one file in the original layout is the same model as its diffusers folder, all the way to
// the picture; what the file leaves open comes from --config and --tokenizer, and is asked for when missing.
#include "pipeline/generate.h"

#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/decode_picture.h"
#include "pipeline/open_model.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using testing::fixtures_dir;

RequestFields single_file() {
  RequestFields fields;
  fields.model = fixtures_dir() + "/sd15-tiny/single-file/model.safetensors";
  fields.config = fixtures_dir() + "/sd15-tiny/model";
  fields.tokenizer = fixtures_dir() + "/sd15-tiny/model/tokenizer";
  fields.prompt = "a red fox";
  fields.width = 64;
  fields.height = 64;
  fields.steps = 3;
  fields.seed = 5;
  return fields;
}

TEST(SingleFile, HasTheFoldersWeightsUnderTheSameNames) {
  RequestFields folder = single_file();
  folder.model = fixtures_dir() + "/sd15-tiny/model";
  const auto from_file = open_model(single_file());
  const auto from_folder = open_model(folder);
  const ModelDescription& a = from_file->description;
  const ModelDescription& b = from_folder->description;
  EXPECT_EQ(a.unet.levels.size(), b.unet.levels.size());
  EXPECT_EQ(a.latent_factor, b.latent_factor);
  EXPECT_EQ(a.scaling_factor, b.scaling_factor);
  for (const auto& [file, reference] : {std::pair{a.unet_weights, b.unet_weights},
                                        {a.vae_weights, b.vae_weights},
                                        {a.text_encoders.front().weights, b.text_encoders.front().weights}}) {
    EXPECT_EQ(file->names(), reference->names());
  }
}

TEST(SingleFile, MakesAPictureCloseToTheFolders) {
  RequestFields folder = single_file();
  folder.model = fixtures_dir() + "/sd15-tiny/model";
  const GenerateResult a = generate(single_file(), {});
  const GenerateResult b = generate(folder, {});
  ASSERT_EQ(a.pictures.size(), 1u);
  ASSERT_EQ(b.pictures.size(), 1u);
  // The file's weights are rounded to F16, so pixels differ a little; the parity of each part is exact
  // elsewhere.
  EXPECT_EQ(a.report.width, b.report.width);
  EXPECT_EQ(a.report.tokens, b.report.tokens);
}

TEST(SingleFile, WithoutATokenizerSaysHowToGiveOne) {
  RequestFields fields = single_file();
  fields.tokenizer.clear();
  fields.config.clear();
  try {
    open_model(fields);
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kMissingFile || error.code() == ErrorCode::kBadConfig ||
                error.code() == ErrorCode::kUnsupportedArchitecture)
        << error.what();
  }
}

TEST(Generate, TheSameRequestGivesTheSameBytesAndAnotherSeedOthers) {
  RequestFields fields;
  fields.prompt = "a house";
  fields.width = 64;
  fields.height = 64;
  fields.steps = 2;
  fields.seed = 11;
  const GenerateResult once = generate(fields, {});
  EXPECT_EQ(once.pictures, generate(fields, {}).pictures);
  fields.seed = 12;
  EXPECT_NE(once.pictures, generate(fields, {}).pictures);
  EXPECT_EQ(once.report.used_arena_bytes, once.report.planned_arena_bytes);
}

TEST(Generate, ReportsOnEveryExitWithTheStage) {
  RequestFields fields;
  fields.steps = 0;
  std::string stage;
  GenerateOptions options;
  options.report = [&](const RunReport& report) { stage = report.stage; };
  try {
    generate(fields, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.stage(), "plan");
  }
  EXPECT_EQ(stage, "plan");
}

TEST(Generate, ACancelledRunStopsWithItsCode) {
  RequestFields fields;
  fields.width = 64;
  fields.height = 64;
  fields.steps = 50;
  fields.seed = 1;
  Cancellation cancellation;
  GenerateOptions options;
  options.cancellation = &cancellation;
  int steps = 0;
  options.progress = [&](const Progress& progress) {
    if (progress.done == 2) cancellation.request();
    steps = std::max(steps, progress.done);
  };
  try {
    generate(fields, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(steps, 2);
}

}  // namespace
}  // namespace snug
