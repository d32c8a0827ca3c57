// Whole clips against diffusers' Wan pipelines: every case of the wan-tiny fixtures (their READMEs state the
// tolerances), from texts and pictures to frames; and what does not change a clip's bits.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "pipeline/open_model.h"
#include "pipeline/start_clip.h"
#include "pipeline/validate_request.h"
#include "tests/clip_case.h"
#include "tests/run_clip.h"

namespace snug {
namespace {

using testing::ClipCase;
using testing::ClipOutcome;
using testing::fields_of;
using testing::folder_of;
using testing::NoNoise;
using testing::planned;
using testing::read_fixture;
using testing::relative_distance;
using testing::run_clip;
using testing::worst_difference;
using Tensors = std::map<std::string, HostTensor>;

constexpr double kTextTolerance = 1e-4, kLatentsTolerance = 2e-4, kFrameTolerance = 1,
                 kConditionTolerance = 1e-4;
constexpr double kLatentsInBf16 = 0.04, kVideoInBf16 = 0.02;  // relative L2

class WanPipeline : public ::testing::TestWithParam<ClipCase> {
 protected:
  // With the fixture's start latents.
  Request request() const {
    Request request = validate_request(fields_, *model_, cpu_backend());
    request.latents = golden_.at("latents_in");
    return request;
  }
  // Of the latents after each step.
  double worst_step(const ClipOutcome& outcome,
                    double (*distance)(std::span<const float>, std::span<const float>)) const {
    const int64_t steps = outcome.trace.latents.shape()[0];
    const auto one = static_cast<size_t>(outcome.trace.latents.elements() / steps);
    double worst = 0;
    for (int64_t i = 0; i < steps; ++i) {
      const auto latents = outcome.trace.latents.floats().subspan(static_cast<size_t>(i) * one, one);
      worst = std::max(worst, distance(latents, golden_.at("latents." + std::to_string(i)).floats()));
    }
    return worst;
  }

  ClipCase case_ = GetParam();
  std::string label_ = std::string(case_.model) + "/" + case_.name;
  Tensors golden_ =
      read_fixture(std::string("wan-tiny-") + case_.model + "/cases/" + case_.name + ".safetensors");
  RequestFields fields_ = fields_of(case_);
  std::shared_ptr<const Model> model_ = open_model(fields_);
};

TEST_P(WanPipeline, GivesDiffusersLatentsAndFrames) {
  const Request wanted = request();
  NoNoise noise;
  const ClipOutcome outcome = run_clip(wanted, *model_, noise);

  const auto values = outcome.conditioning.front().values.floats();
  const size_t size = golden_.at("prompt_embeds").floats().size();
  double text = worst_difference(values.last(size), golden_.at("prompt_embeds").floats());
  if (wanted.guided())
    text =
        std::max(text, worst_difference(values.first(size), golden_.at("negative_prompt_embeds").floats()));
  const double latents = worst_step(outcome, worst_difference);
  EXPECT_TRUE(
      std::ranges::equal(outcome.trace.timesteps.floats(), golden_.at("timesteps").to_f32().floats()));
  const HostTensor& levels = golden_.at("video_u8");  // [F,H,W,3]
  ASSERT_EQ(static_cast<int64_t>(outcome.frames.size()), levels.shape()[0]);
  double level = 0;
  const auto frame_size = static_cast<size_t>(levels.elements() / levels.shape()[0]);
  const auto* expected = reinterpret_cast<const uint8_t*>(levels.bytes().data());
  for (size_t f = 0; f < outcome.frames.size(); ++f) {
    for (size_t i = 0; i < frame_size; ++i) {
      level = std::max(
          level, std::fabs(static_cast<double>(outcome.frames[f].rgb[i]) - expected[f * frame_size + i]));
    }
  }
  std::printf("parity wan %s: text %.2g (tolerance %.2g), latents %.2g (%.2g), levels %.0f (%.0f)\n",
              label_.c_str(), text, kTextTolerance, latents, kLatentsTolerance, level, kFrameTolerance);
  EXPECT_LE(text, kTextTolerance);
  EXPECT_LE(latents, kLatentsTolerance);
  EXPECT_LE(level, kFrameTolerance);
}

TEST_P(WanPipeline, StaysAsCloseInBf16AsPyTorchDoes) {
  fields_.precision = "bf16";
  NoNoise noise;
  const ClipOutcome outcome = run_clip(request(), *model_, noise);
  const double latents = worst_step(outcome, relative_distance);
  std::vector<float> video;
  for (const Picture& frame : outcome.frames) {
    for (const uint8_t level : frame.rgb) video.push_back(static_cast<float>(level) / 255);
  }
  const double frames = relative_distance(video, golden_.at("video").floats());
  std::printf("parity wan %s bf16: latents %.2g (tolerance %.2g), video %.2g (%.2g)\n", label_.c_str(),
              latents, kLatentsInBf16, frames, kVideoInBf16);
  EXPECT_LE(latents, kLatentsInBf16);
  EXPECT_LE(frames, kVideoInBf16);
  EXPECT_GT(latents, kLatentsTolerance) << "as exact as f32";
}

// What the transformer is given beside the latents, or as their first frame, of the pictures.
TEST_P(WanPipeline, MakesDiffusersConditionOfThePictures) {
  if (fields_.image == nullptr) GTEST_SKIP() << "a clip of its text alone";
  const Request wanted = request();
  const PlannedRun run = planned(wanted, *model_, UINT64_MAX);
  const Cancellation never;
  const auto executor = load_weights(run, *model_, never, nullptr);
  NoNoise noise;
  const StartLatents start = start_clip(run, wanted, *model_, noise, *executor);
  const std::span<const float> condition =
      start.first_frame.empty() ? std::span<const float>(start.beside) : start.first_frame.floats();
  const double worst = worst_difference(condition, golden_.at("condition").floats());
  std::printf("parity wan %s condition: %.2g (tolerance %.2g)\n", label_.c_str(), worst, kConditionTolerance);
  EXPECT_LE(worst, kConditionTolerance);
}

INSTANTIATE_TEST_SUITE_P(All, WanPipeline,
                         ::testing::Values(ClipCase{"t2v", "t2v"}, ClipCase{"t2v", "t2v_no_guidance"},
                                           ClipCase{"i2v", "i2v"}, ClipCase{"i2v", "i2v_first_last"},
                                           ClipCase{"ti2v", "t2v"}, ClipCase{"ti2v", "i2v"}),
                         [](const auto& made) {
                           return std::string(made.param.model) + "_" + made.param.name;
                         });

Request small_request(const std::shared_ptr<const Model>& model, const RequestFields& fields) {
  return validate_request(fields, *model, cpu_backend());
}

TEST(WanBits, AreTheSameInASmallBudgetAndAfterAnInterruption) {
  RequestFields fields = fields_of({"t2v", "t2v"});
  fields.steps = 4;
  const auto model = open_model(fields);
  const Request request = small_request(model, fields);
  std::vector<RunCheckpoint> checkpoints;
  BatchNoise noise = noise_of(request);
  const ClipOutcome whole = run_clip(request, *model, noise, UINT64_MAX, nullptr, &checkpoints);

  BatchNoise again = noise_of(request);
  const ClipOutcome tight = run_clip(request, *model, again, 0);
  std::printf("t2v: arena %.0f KiB, and %.0f KiB at least\n", static_cast<double>(whole.arena_bytes) / 1024,
              static_cast<double>(tight.arena_bytes) / 1024);
  EXPECT_LT(tight.arena_bytes, whole.arena_bytes);
  ASSERT_EQ(tight.frames.size(), whole.frames.size());
  for (size_t i = 0; i < whole.frames.size(); ++i) EXPECT_EQ(tight.frames[i].rgb, whole.frames[i].rgb) << i;

  // Between the steps of one expert, and where the other takes over.
  // And behind the last one, where nothing is left but decoding.
  ASSERT_EQ(checkpoints.size(), 4U);
  for (const RunCheckpoint& from : checkpoints) {
    BatchNoise later = noise_of(request);
    const ClipOutcome resumed = run_clip(request, *model, later, UINT64_MAX, &from);
    EXPECT_EQ(worst_difference(resumed.latents.floats(), whole.latents.floats()), 0) << from.calls_done;
  }
}

TEST(WanPlan, HoldsOneExpertAtATime) {
  const RequestFields fields = fields_of({"t2v", "t2v"});
  const auto model = open_model(fields);
  const PlannedRun run = planned(small_request(model, fields), *model, UINT64_MAX);
  const Plan& plan = run.plan;
  const Phase& first = plan.phase("step");
  const Phase& second = plan.phase("step_2");
  EXPECT_EQ(first.part, "transformer");
  EXPECT_EQ(second.part, "transformer_2");
  EXPECT_EQ(first.calls, 4);
  EXPECT_EQ(second.calls, 2);
  for (const Buffer& buffer : plan.buffers) {
    if (buffer.name == "step weights") {
      EXPECT_LT(buffer.last_use, second.first_instruction);
    } else if (buffer.name == "step_2 weights") {
      EXPECT_GE(buffer.first_use, second.first_instruction);
    }
  }
}

// As diffusers counts the boundary: a share of the times that the scheduler was trained with.
TEST(WanPlan, DividesTheStepsBySharesOfTheSchedulersTimes) {
  const TemporaryFolder place;
  RequestFields fields = fields_of({"t2v", "t2v"});
  const std::string folder = place.path("model");
  std::filesystem::copy(fields.model, folder, std::filesystem::copy_options::recursive);
  fields.model = folder;
  const std::string path = folder + "/scheduler/scheduler_config.json";
  nlohmann::json config = nlohmann::json::parse(std::ifstream(path));
  config["num_train_timesteps"] = 500;
  std::ofstream(path) << config;
  const auto model = open_model(fields);
  const PlannedRun run = planned(small_request(model, fields), *model, UINT64_MAX);
  EXPECT_EQ(run.plan.phase("step").calls, 4);
  EXPECT_EQ(run.plan.phase("step_2").calls, 2);
}

Error error_of(const RequestFields& fields) {
  try {
    validate_request(fields, *open_model(fields), cpu_backend());
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::kInternal, "nothing"};
}

TEST(WanRequests, AreRefusedWithTheNearestThatCanBeMade) {
  RequestFields fields = fields_of({"t2v", "t2v"});
  fields.frames = 10;
  EXPECT_NE(std::string(error_of(fields).what()).find("use 9 or 13"), std::string::npos)
      << error_of(fields).what();
  fields.frames = 9;
  fields.width = 90;
  EXPECT_NE(std::string(error_of(fields).what()).find("use 80 or 96"), std::string::npos)
      << error_of(fields).what();
  fields.width = 80;
  fields.image = open_file(folder_of({"i2v", ""}) + "/cases/image.png");
  EXPECT_EQ(error_of(fields).code(), ErrorCode::kInvalidArgument);
  RequestFields pictured = fields_of({"i2v", "i2v"});
  pictured.image = nullptr;
  EXPECT_NE(std::string(error_of(pictured).what()).find("--image"), std::string::npos);
}

}  // namespace
}  // namespace snug
