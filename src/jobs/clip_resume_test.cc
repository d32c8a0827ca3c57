// A clip whose service stops in the middle of its decoding goes on there, to the file of a run that nobody
// interrupted; and what was kept of it goes with its job.
#include <filesystem>

#include <nlohmann/json.hpp>

#include "jobs/service_fixture.h"
#include "pipeline/generate.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

class ClipResume : public ServiceTest {
 protected:
  static Submission clip(uint64_t seed) {
    Submission asked;
    asked.fields.model = "wan-tiny-ti2v";
    asked.fields.prompt = "a paper boat on a pond";
    asked.fields.width = asked.fields.height = 128;
    asked.fields.frames = 61;
    asked.fields.steps = 2;
    asked.fields.seed = seed;
    return asked;
  }
  fs::path kept(const Job& job) const { return folder_.path("data/decoding") + "/" + job.id; }
  // Until some frames are there.
  void wait_for_frames(const Job& job) {
    const Stopwatch watch;
    std::error_code none;
    while (watch.seconds() < 60) {
      const uintmax_t bytes = fs::file_size(kept(job) / "frames.rgb", none);
      if (!none && bytes > 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ADD_FAILURE() << "no frame was kept";
  }
};

TEST_F(ClipResume, InTheMiddleOfTheDecodingGivesTheSameFile) {
  start();
  const Submission asked = clip(4);
  const Job job = service_->submit(asked);
  wait_for_frames(job);
  stop();
  ASSERT_TRUE(fs::exists(kept(job) / "decode.safetensors")) << "it was written down when the service stopped";
  start();
  const Job done = wait(job.id);
  ASSERT_EQ(done.state, JobState::kDone);
  RequestFields fields = asked.fields;
  find_model(fields);
  EXPECT_TRUE(picture(done) == generate(fields, {}).pictures.front());
  const auto resumed = nlohmann::json::parse(done.report).at("resumed");
  EXPECT_EQ(resumed.at("calls"), 2);
  EXPECT_GT(resumed.at("frames"), 0);
  const Stopwatch watch;
  while (fs::exists(kept(job)) && watch.seconds() < 10)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_FALSE(fs::exists(kept(job)));
}

TEST_F(ClipResume, IsNotThereForAJobThatWasCancelled) {
  start();
  const Job job = service_->submit(clip(5));
  wait_for_frames(job);
  EXPECT_EQ(service_->cancel(job.id, "").state, JobState::kCancelled);
  const Stopwatch watch;
  while (fs::exists(kept(job)) && watch.seconds() < 10)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_FALSE(fs::exists(kept(job)));
}

}  // namespace
}  // namespace snug
