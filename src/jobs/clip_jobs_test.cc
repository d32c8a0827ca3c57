// Clips through the service: the bytes that the command line's path gives, a poster, progress by frame; made
// once, kept while something names them, and gone on with after a stop.
#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "jobs/blobs_in_use.h"
#include "jobs/clip_poster.h"
#include "jobs/run_record_rows.h"
#include "jobs/service_fixture.h"
#include "media/decode_picture.h"
#include "media/encode_picture.h"
#include "media/video_reader.h"
#include "pipeline/generate.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const ByteSource> fixture(const std::string& path) {
  return open_file(testing::fixtures_dir() + "/" + path);
}

class ClipJobs : public ServiceTest {
 protected:
  static Submission clip(const std::string& model, uint64_t seed, int64_t frames = 9, int64_t steps = 2) {
    Submission asked = submission("a red fox", seed, steps);
    asked.fields.model = model;
    asked.fields.width = 80;
    asked.fields.height = 48;
    asked.fields.frames = frames;
    return asked;
  }
  // As the command line makes it.
  static std::vector<std::byte> made_alone(const Submission& asked,
                                           std::vector<std::byte>* poster = nullptr) {
    RequestFields fields = asked.fields;
    find_model(fields);
    GenerateOptions options;
    options.frame = [&](const Picture& frame, int64_t number) {
      if (poster != nullptr && number == 0) *poster = clip_poster(frame);
    };
    return generate(fields, options).pictures.front();
  }
  std::vector<std::byte> poster(const Job& job) { return service_->poster(job.id, 0, "").bytes; }
  RunRecord record_of(const Job& job) {
    return *database_->read([&](Sql& sql) { return find_record(sql, job.id); });
  }
  // What is wrong and what to do.
  std::string refusal_of(const Submission& asked) {
    const Error error = error_of([&] { service_->submit(asked); });
    return std::string(error.word()) + ": " + error.problem() + "; " + error.fix();
  }
};

TEST_F(ClipJobs, AreTheBytesThatTheRequestMakesAlone) {
  start();
  for (const char* const format : {"mp4", "webm", "webp"}) {
    Submission asked = clip("wan-tiny-t2v", 4);
    asked.fields.frames_per_second = 12;
    asked.fields.format = format;
    const Job job = wait(service_->submit(asked).id);
    ASSERT_EQ(job.state, JobState::kDone) << (job.failure ? job.failure->problem : "");
    ASSERT_EQ(job.pictures.size(), 1U);
    std::vector<std::byte> first_frame;
    EXPECT_EQ(picture(job), made_alone(asked, &first_frame)) << format;
    const JobPicture& made = job.pictures[0];
    ASSERT_TRUE(made.clip.has_value());
    EXPECT_EQ(video_format_word(made.clip->format), format);
    EXPECT_EQ(made.clip->frames, 9);
    EXPECT_EQ(made.clip->frames_per_second, 12);
    EXPECT_EQ(service_->picture(job.id, 0, "").media_type, media_type(made));
    const VideoFacts facts = video_facts(*view_memory("the clip", picture(job)));
    EXPECT_EQ(facts.frames, 9);
    EXPECT_EQ(facts.width, 80);
    EXPECT_EQ(poster(job), first_frame) << format;
    EXPECT_EQ(static_cast<int64_t>(first_frame.size()), made.clip->poster_bytes);
    EXPECT_EQ(decode_picture(*view_memory("the poster", first_frame)).height, 48);
  }
}

TEST_F(ClipJobs, BeginAndEndWithPicturesThatAreKept) {
  start();
  Submission asked = clip("wan-tiny-i2v", 4, 5);
  asked.fields.width = 96;
  asked.fields.height = 64;
  asked.fields.image = fixture("wan-tiny-i2v/cases/image.png");
  asked.fields.last_image = fixture("wan-tiny-i2v/cases/last_image.png");
  const Job job = wait(service_->submit(asked).id);
  ASSERT_EQ(job.state, JobState::kDone) << (job.failure ? job.failure->problem : "");
  const auto request = nlohmann::json::parse(job.request);
  const std::string first = request.at("image"), last = request.at("last_image");
  EXPECT_NE(first, last);
  const auto in_use = blobs_in_use(*database_);
  EXPECT_TRUE(in_use.contains(first) && in_use.contains(last));
  EXPECT_TRUE(in_use.contains(job.pictures[0].blob) && in_use.contains(job.pictures[0].clip->poster));
  // Another last frame is another clip.
  asked.fields.last_image = asked.fields.image;
  EXPECT_EQ(service_->submit(asked).state, JobState::kQueued);
}

TEST_F(ClipJobs, AreMadeOnceForEqualRequests) {
  start();
  Submission asked = clip("wan-tiny-t2v", 4, 5);
  asked.idempotency_key = "key";
  const Job made = wait(service_->submit(asked).id);
  ASSERT_EQ(made.state, JobState::kDone);
  EXPECT_EQ(service_->submit(asked).id, made.id);
  asked.idempotency_key.clear();
  const Job again = service_->submit(asked);
  EXPECT_NE(again.id, made.id);
  ASSERT_EQ(again.state, JobState::kDone);
  EXPECT_TRUE(again.from_cache);
  EXPECT_EQ(picture(again), picture(made));
  EXPECT_EQ(poster(again), poster(made));
  EXPECT_EQ(again.pictures[0].clip->frames, 5);
  // A clip has no result of another length, rate or form.
  for (const auto& change :
       {+[](RequestFields& f) { f.frames = 9; }, +[](RequestFields& f) { f.frames_per_second = 8; },
        +[](RequestFields& f) { f.format = "webm"; }, +[](RequestFields& f) { f.guidance_scale_2 = 2; }}) {
    Submission other = asked;
    change(other.fields);
    EXPECT_EQ(service_->submit(other).state, JobState::kQueued);
  }
}

TEST_F(ClipJobs, OfOneShapeShareWeightsThatAreKeptAndNoBits) {
  start();
  for (const uint64_t seed : {1, 2, 3}) {
    Submission asked = clip("wan-tiny-t2v", seed, 5);
    if (seed == 3) asked.fields.prompt = "a red box";  // of as many tokens
    const Job job = wait(service_->submit(asked).id);
    ASSERT_EQ(job.state, JobState::kDone) << (job.failure ? job.failure->problem : "");
    EXPECT_EQ(record_of(job).kept, seed > 1) << seed;
    EXPECT_EQ(picture(job), made_alone(asked)) << seed;
  }
}

TEST_F(ClipJobs, GoOnFromTheirCheckpointWithTheSameBits) {
  options_.checkpoint_seconds = 0;
  start();
  const Submission asked = clip("wan-tiny-t2v", 9, 9, 60);
  const Job job = service_->submit(asked);
  const Stopwatch watch;
  while (service_->job(job.id, "").step < 8 && watch.seconds() < kMostWaitSeconds)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  stop();
  start();
  EXPECT_GE(service_->job(job.id, "").checkpoint_step, 8);
  const Job done = wait(job.id);
  ASSERT_EQ(done.state, JobState::kDone) << (done.failure ? done.failure->problem : "");
  const auto report = nlohmann::json::parse(done.report);
  EXPECT_LT(report.at("step_seconds").size(), 60U) << "no step was done twice";
  std::vector<std::byte> first_frame;
  EXPECT_EQ(picture(done), made_alone(asked, &first_frame));
  EXPECT_EQ(poster(done), first_frame);
}

TEST_F(ClipJobs, TellOfStepsAndThenOfFrames) {
  start();
  Events events(*service_);
  Submission asked = clip("wan-tiny-t2v", 4, 17, 3);
  asked.previews = true;
  const Job job = wait(service_->submit(asked).id);
  ASSERT_EQ(job.state, JobState::kDone);
  EXPECT_EQ(job.stage, "");
  std::vector<std::string> stages;
  int last_frame = 0;
  for (const JobEvent& event : events.seen()) {
    EXPECT_EQ(event.preview, nullptr) << "latents of clips have no preview";
    const Job& now = event.job;
    if (now.state != JobState::kRunning || now.stage.empty()) continue;
    if (stages.empty() || stages.back() != now.stage) stages.push_back(now.stage);
    EXPECT_EQ(now.frame.has_value(), now.frames.has_value());
    if (now.stage != "decode") {
      EXPECT_FALSE(now.frame.has_value()) << now.stage;
    } else if (now.frame.has_value()) {
      EXPECT_GT(*now.frame, last_frame);
      EXPECT_EQ(now.frames, 17);
      EXPECT_EQ(now.step, 3);
      last_frame = *now.frame;
    }
  }
  EXPECT_EQ(last_frame, 17) << "the last one is told of, however fast they come";
  const std::vector<std::string> expected = {"open", "plan", "load", "encode", "denoise", "decode", "write"};
  EXPECT_EQ(stages, expected);
}

TEST_F(ClipJobs, AreRecordedApartFromPictures) {
  start();
  Submission asked = clip("wan-tiny-t2v", 4, 5);
  asked.fields.frames_per_second = 8;
  const Job job = wait(service_->submit(asked).id);
  const RunRecord record = record_of(job);
  EXPECT_EQ(record.kind, "text_to_video");
  EXPECT_EQ(record.frames, 5);
  EXPECT_EQ(record.fps, 8);
  EXPECT_EQ(record.model, "wan-tiny-t2v");
  const RunRecord other = record_of(wait(service_->submit(submission("a castle", 4)).id));
  EXPECT_EQ(other.frames, 1);
  EXPECT_FALSE(other.fps.has_value());
}

TEST_F(ClipJobs, ThatCannotBeMadeAreRefusedAtTheDoor) {
  start();
  Submission frames = clip("wan-tiny-t2v", 4, 10);
  EXPECT_EQ(refusal_of(frames), "invalid_argument: the model cannot make 10 frames; use 9 or 13");
  Submission batch = clip("wan-tiny-t2v", 4);
  batch.fields.batch = 2;
  EXPECT_NE(refusal_of(batch).find("batch is 2"), std::string::npos);
  EXPECT_NE(refusal_of(clip("wan-tiny-i2v", 4)).find("makes clips of a picture"), std::string::npos);
  Submission format = clip("wan-tiny-t2v", 4);
  format.fields.format = "png";
  EXPECT_NE(refusal_of(format).find("mp4, webm or webp"), std::string::npos);
  Submission picture = submission("a castle", 1);
  picture.fields.frames = 9;
  EXPECT_NE(refusal_of(picture).find("makes pictures, not clips"), std::string::npos);
  EXPECT_TRUE(service_->jobs({}).empty());
}

TEST_F(ClipJobs, OfAModelWithoutItsSecondExpertAreRefusedByItsName) {
  const fs::path torn = folder_.path("torn");
  fs::copy(testing::fixtures_dir() + "/wan-tiny-t2v", torn, fs::copy_options::recursive);
  fs::remove_all(torn / "transformer_2");
  start();
  Submission asked = clip(torn.string(), 4);
  EXPECT_NE(refusal_of(asked).find("transformer_2"), std::string::npos) << refusal_of(asked);
}

TEST_F(ClipJobs, AndPicturesHavePostersOrNone) {
  start();
  const Job picture = wait(service_->submit(submission("a castle", 4)).id);
  EXPECT_EQ(error_of([&] { poster(picture); }).code(), ErrorCode::kNotFound);
  const Job made = wait(service_->submit(clip("wan-tiny-t2v", 4, 1)).id);
  ASSERT_EQ(made.state, JobState::kDone);
  EXPECT_FALSE(poster(made).empty()) << "of one frame, too";
  EXPECT_EQ(error_of([&] { service_->poster(made.id, 1, ""); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of([&] { service_->poster(made.id, 0, "somebody else"); }).code(), ErrorCode::kNotFound);
}

TEST(ClipPoster, IsNoLargerThanItsEdgeAndKeepsTheShape) {
  Picture frame;
  frame.width = 1280;
  frame.height = 704;
  frame.rgb.assign(static_cast<size_t>(3 * frame.width * frame.height), 90);
  const Picture poster = decode_picture(*view_memory("poster", clip_poster(frame)));
  EXPECT_EQ(poster.width, kMostPosterEdgePx);
  EXPECT_EQ(poster.height, 352);
  std::swap(frame.width, frame.height);
  EXPECT_EQ(decode_picture(*view_memory("poster", clip_poster(frame))).height, kMostPosterEdgePx);
  frame.width = 4096;
  frame.height = 1;
  frame.rgb.assign(static_cast<size_t>(3 * frame.width), 90);
  EXPECT_EQ(decode_picture(*view_memory("poster", clip_poster(frame))).height, 1);
}

}  // namespace
}  // namespace snug
