// Presets and times: what they become, that statements stay, and that a promise has the margin that past
// errors ask for.
#include "pipeline/fit_time.h"

#include <filesystem>
#include <random>

#include <gtest/gtest.h>

#include "base/error.h"
#include "pipeline/presets.h"
#include "pipeline/rates_file.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

const Model& model() {
  static const std::shared_ptr<const Model> opened = open_model({});
  return *opened;
}

// Past runs whose ratios spread evenly up to `most`.
std::vector<PastRun> past(double most, double beside = 0.02) {
  std::vector<PastRun> runs;
  for (int i = 1; i <= 40; ++i) {
    const double ratio = most * i / 40;
    runs.push_back({1, ratio, ratio + beside});
  }
  return runs;
}

Rates rates() {
  Rates rates = built_in_rates("avx2", 1);
  return rates;
}

TEST(Presets, BecomeStepsSizeAndSampler) {
  RequestFields fields;
  fields.preset = "draft";
  settle_preset(fields, model());
  EXPECT_EQ(fields.steps, 8);
  EXPECT_EQ(fields.width, 96);
  EXPECT_EQ(fields.height, 96);
  EXPECT_EQ(fields.sampler, "dpmpp_2m_karras");
  EXPECT_TRUE(fields.preset.empty());
}

// A square and a sampler of pictures are nothing that a video model was trained for.
TEST(Presets, OfAClipHaveItsShapeAndItsModelsSampler) {
  RequestFields fields;
  fields.model = testing::fixtures_dir() + "/wan-tiny-t2v";
  const auto wan = open_model(fields);
  fields.preset = "draft";
  settle_preset(fields, *wan);
  EXPECT_EQ(fields.steps, 8);
  EXPECT_EQ(fields.width, 624);
  EXPECT_EQ(fields.height, 368);
  EXPECT_FALSE(fields.sampler.has_value());
  EXPECT_EQ(scaled_size(*wan, 1), (SizePair{480, 832}));
}

TEST(Presets, LeaveWhatIsStated) {
  for (const Preset& preset : preset_list()) {
    RequestFields fields;
    fields.preset = preset.name;
    fields.steps = 3;
    fields.width = 64;
    fields.sampler = "euler";
    settle_preset(fields, model());
    EXPECT_EQ(fields.steps, 3);
    EXPECT_EQ(fields.width, 64);
    EXPECT_FALSE(fields.height.has_value());
    EXPECT_EQ(fields.sampler, "euler");
  }
}

TEST(Presets, AnUnknownOneIsRefused) {
  RequestFields fields;
  fields.preset = "best";
  EXPECT_THROW(settle_preset(fields, model()), Error);
}

TEST(PredictionError, IsWhatThirtyNineOfFortyRunsKeptTo) {
  const PredictionError error = prediction_error(past(2));
  EXPECT_DOUBLE_EQ(error.most_ratio, 1.95);
  EXPECT_NEAR(error.most_beside_seconds, 0.02, 1e-12);
  EXPECT_EQ(prediction_error({}).runs, 0U);
  EXPECT_EQ(prediction_error({{1, 5, 5}}).most_ratio, PredictionError().most_ratio) << "one run says little";
}

TEST(SettleTime, TakesTheBestThatFitsAndMoreTimeIsNeverWorse) {
  int64_t work = 0;
  for (const double seconds : {0.2, 0.4, 0.8, 1.6, 3.2, 30.0}) {
    RequestFields fields;
    fields.prompt = "a castle";
    fields.time_seconds = seconds;
    const TimeChoice choice = settle_time(fields, model(), cpu_backend(), rates(), past(1.2));
    EXPECT_LE(choice.most_seconds, seconds);
    EXPECT_GE(choice.most_seconds, choice.predicted_seconds);
    EXPECT_EQ(fields.steps, choice.steps);
    EXPECT_FALSE(fields.time_seconds.has_value());
    EXPECT_GE(choice.steps * choice.width * choice.height, work) << seconds;
    work = choice.steps * choice.width * choice.height;
  }
  EXPECT_EQ(work, 50 * 128 * 128) << "enough time for the best";
}

TEST(SettleTime, LargerPastErrorsLeaveALargerMargin) {
  RequestFields careful, sure;
  careful.time_seconds = sure.time_seconds = 1.0;
  const TimeChoice less = settle_time(careful, model(), cpu_backend(), rates(), past(3));
  const TimeChoice more = settle_time(sure, model(), cpu_backend(), rates(), past(1));
  EXPECT_LT(less.steps * less.width, more.steps * more.width);
}

TEST(SettleTime, StatedStepsAndSizesStay) {
  RequestFields fields;
  fields.time_seconds = 30;
  fields.steps = 7;
  fields.width = fields.height = 64;
  settle_time(fields, model(), cpu_backend(), rates(), {});
  EXPECT_EQ(fields.steps, 7);
  EXPECT_EQ(fields.width, 64);
}

TEST(SettleTime, TooLittleIsRefusedWithWhatWouldDo) {
  RequestFields fields;
  fields.time_seconds = 0.001;
  try {
    settle_time(fields, model(), cpu_backend(), rates(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.fix().find("--time"), std::string::npos) << error.what();
  }
}

TEST(PastRuns, ComeBackNewestFirstAndTheOldestAreForgotten) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("snug-past-" + std::to_string(::getpid()) + ".json"))
          .string();
  for (int i = 1; i <= 70; ++i) keep_past_run(path, cpu_backend(), {1.0 * i, 2.0 * i, 3.0 * i});
  const std::vector<PastRun> runs = load_past_runs(path, cpu_backend());
  std::filesystem::remove(path);
  ASSERT_EQ(runs.size(), 64U);
  EXPECT_EQ(runs.front().predicted_seconds, 70);
  EXPECT_EQ(runs.back().total_seconds, 21);
  EXPECT_TRUE(load_past_runs(path, cpu_backend()).empty());
}

}  // namespace
}  // namespace snug
