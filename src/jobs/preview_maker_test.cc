// A service's previews: there from a model's second run on, also after a restart, whatever the file holds;
// seldom enough to cost nothing; from several threads.
#include "jobs/preview_maker.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "base/log.h"
#include "jobs/store_fixture.h"
#include "media/decode_picture.h"
#include "pipeline/open_model.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::shared_ptr<const Model> some_model() {
  RequestFields fields;
  fields.model = testing::fixtures_dir() + "/sd15-tiny/model";
  return open_model(fields);
}

// Latents [batch,4,side,side] and pictures whose red is 0.5 + 0.1 * the first channel, all of them alike.
struct FinishedRun {
  HostTensor latents, images;
};
FinishedRun finished_run(int64_t batch, int64_t side, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  FinishedRun run{HostTensor(DType::kF32, Shape{batch, 4, side, side}),
                  HostTensor(DType::kF32, Shape{batch, 3, side, side})};
  for (float& value : run.latents.floats()) value = normal(random);
  const auto plane = static_cast<size_t>(side * side);
  for (size_t i = 0; i < run.images.floats().size(); ++i) {
    const size_t picture = i / (3 * plane);
    const bool red = i / plane % 3 == 0;
    run.images.floats()[i] = red ? 0.5F + 0.1F * run.latents.floats()[picture * 4 * plane + i % plane] : 0.2F;
  }
  return run;
}

// Latents that are one everywhere, but for picture 1, which is minus one.
HostTensor flat_latents(int64_t side) {
  HostTensor latents(DType::kF32, Shape{2, 4, side, side});
  const size_t half = latents.floats().size() / 2;
  for (size_t i = 0; i < 2 * half; ++i) latents.floats()[i] = i < half ? 1.0F : -1.0F;
  return latents;
}

int red_of(const std::shared_ptr<const std::vector<std::byte>>& png) {
  if (png == nullptr) return -1;
  const Picture picture = decode_picture(*view_memory("preview", *png));
  EXPECT_EQ(picture.width, 16);
  EXPECT_EQ(picture.rgb[1], 51);
  return picture.rgb[0];
}

class PreviewMakerTest : public ::testing::Test {
 protected:
  PreviewMakerTest() { spdlog::set_level(spdlog::level::off); }  // damage is warned of
  ~PreviewMakerTest() override { spdlog::set_level(spdlog::level::warn); }
  std::string path() const { return folder_.path("cache/previews.json"); }
  void write(const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path()).parent_path());
    std::ofstream(path()) << text;
  }
  const TemporaryFolder folder_;
  const std::shared_ptr<const Model> model_ = some_model();
};

TEST_F(PreviewMakerTest, AModelHasPreviewsFromItsSecondRunOnAlsoAfterARestart) {
  {
    PreviewMaker previews(path());
    EXPECT_EQ(red_of(previews.png(*model_, flat_latents(8), 0)), -1);
    const FinishedRun run = finished_run(2, 8, 1);
    previews.learn(*model_, run.latents, run.images);
    EXPECT_EQ(red_of(previews.png(*model_, flat_latents(8), 0)), 153);
    EXPECT_EQ(red_of(previews.png(*model_, flat_latents(8), 1)), 102);
  }
  PreviewMaker again(path());
  EXPECT_EQ(red_of(again.png(*model_, flat_latents(8), 1)), 102);
}

TEST_F(PreviewMakerTest, TheEmbeddedModelHasThemFromTheStartAndIsNotLearned) {
  const std::shared_ptr<const Model> embedded = open_model({});
  PreviewMaker previews(path());
  EXPECT_NE(previews.png(*embedded, flat_latents(8), 0), nullptr);
  const FinishedRun run = finished_run(1, 8, 1);
  previews.learn(*embedded, run.latents, run.images);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(PreviewMakerTest, ADamagedFileCountsAsNothingLearned) {
  const FinishedRun run = finished_run(1, 8, 2);
  PreviewMaker(path()).learn(*model_, run.latents, run.images);
  std::ifstream file(path());
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  ASSERT_NE(PreviewMaker(path()).png(*model_, flat_latents(8), 0), nullptr);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& text :
       {std::string(), std::string("{"), whole.substr(0, whole.size() / 2),
        changed("\"pictures\": 1", "\"pictures\": 0"), changed("\"pictures\": 1", "\"pictures\": \"1\""),
        changed("\"channels\": 4", "\"channels\": 5"), changed("\"sums\": [", "\"sums\": [1e999,"),
        changed("\"sums\": [", "\"sums\": [1,"), changed("\"sums\": [", "\"sums\": [null,"),
        changed("\"sums\": [", "\"other\": [")}) {
    write(text);
    PreviewMaker previews(path());
    EXPECT_EQ(previews.png(*model_, flat_latents(8), 0), nullptr) << text.substr(0, 200);
    previews.learn(*model_, run.latents, run.images);
    EXPECT_EQ(red_of(previews.png(*model_, flat_latents(8), 0)), 153);
  }
}

TEST_F(PreviewMakerTest, AFolderThatCannotBeWrittenIsNoErrorOfTheRun) {
  const FinishedRun run = finished_run(1, 8, 3);
  for (const std::string& nowhere : {std::string(), std::string("/proc/nowhere/previews.json")}) {
    PreviewMaker previews(nowhere);
    previews.learn(*model_, run.latents, run.images);
    EXPECT_EQ(red_of(previews.png(*model_, flat_latents(8), 0)), 153);
  }
}

TEST_F(PreviewMakerTest, TheNextIsDueWhenTheLastTookOnePercentOfTheTime) {
  PreviewMaker previews({});
  const std::shared_ptr<const Model> embedded = open_model({});
  EXPECT_TRUE(previews.due());
  const HostTensor latents = flat_latents(128);
  const steady_clock::time_point began = steady_clock::now();
  EXPECT_NE(previews.png(*embedded, latents, 0), nullptr);
  EXPECT_FALSE(previews.due());
  while (!previews.due() && steady_clock::now() < began + std::chrono::seconds(20)) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(previews.due());
  EXPECT_GT(steady_clock::now() - began, milliseconds(20));
}

TEST_F(PreviewMakerTest, SeveralThreadsLearnAndLook) {
  PreviewMaker previews(path());
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (unsigned turn = 0; turn < 8; ++turn) {
        const FinishedRun run = finished_run(1, 8, 10 * thread + turn);
        previews.learn(*model_, run.latents, run.images);
        EXPECT_EQ(red_of(previews.png(*model_, flat_latents(8), 0)), 153);
        (void)previews.due();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(red_of(PreviewMaker(path()).png(*model_, flat_latents(8), 1)), 102);
}

}  // namespace
}  // namespace snug
