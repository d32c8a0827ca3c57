// Which thread counts are tried and which wins, on made-up machines and times; that tuning ends, puts threads
// back, and what it finds is used unless something else is asked for.
#include "pipeline/tune.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/parallel.h"
#include "base/pinning.h"
#include "pipeline/thread_choice.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

CoreLayout layout(int logical, int physical) {
  CoreLayout cores;
  for (int core = 0; core < logical; ++core) cores.logical.push_back(core);
  cores.physical = physical;
  return cores;
}

TEST(Tune, TriesPowersOfTwoAndPhysicalAndLogicalCores) {
  EXPECT_EQ(thread_counts_to_try(layout(1, 1), {}), (std::vector<int>{1}));
  EXPECT_EQ(thread_counts_to_try(layout(2, 2), {}), (std::vector<int>{1, 2}));
  EXPECT_EQ(thread_counts_to_try(layout(12, 6), {}), (std::vector<int>{1, 2, 4, 6, 8, 12}));
  // With 2.5 cores' worth of time, 64 threads are only stopped more often.
  EXPECT_EQ(thread_counts_to_try(layout(64, 32), 2.5), (std::vector<int>{1, 2, 4}));
}

TuneCandidate timed(int threads, double seconds, bool pin = false) {
  return {.threads = threads, .pin = pin, .samples = 1, .least_seconds = seconds, .median_seconds = seconds};
}

TEST(Tune, TheSmallestCountThatIsAsFastWins) {
  const std::vector<TuneCandidate> times = {timed(1, 4), timed(2, 2.02), timed(4, 2), timed(8, 2.5)};
  EXPECT_EQ(best_of(times, 0.02), (TunedThreads{2, false}));
  EXPECT_EQ(best_of(times, 0.005), (TunedThreads{4, false}));
}

TEST(Tune, PinningHasToWinByMoreThanRepeatsDiffer) {
  EXPECT_EQ(best_of({timed(4, 2), timed(4, 1.99, true)}, 0.02), (TunedThreads{4, false}));
  EXPECT_EQ(best_of({timed(4, 2), timed(4, 1.8, true)}, 0.02), (TunedThreads{4, true}));
}

TEST(Tune, EndsAndPutsThreadsBack) {
  const int before = thread_count();
  TuneOptions options;
  options.budget_seconds = 0.01;  // each once
  const TuneResult result = tune(cpu_backend(), options);
  EXPECT_EQ(thread_count(), before);
  EXPECT_FALSE(threads_are_pinned());
  const auto tried = thread_counts_to_try(core_layout(), {});
  EXPECT_GE(result.candidates.size(), 2u);
  EXPECT_LE(result.best.threads, tried.back());
  for (const TuneCandidate& one : result.candidates) {
    EXPECT_GE(one.samples, 1);
    EXPECT_GT(one.least_seconds, 0);
    EXPECT_GE(one.median_seconds, one.least_seconds);
  }
  EXPECT_TRUE(result.candidates.back().pin);
}

TEST(ThreadChoice, TheFirstThatSaysWins) {
  const CoreLayout cores = layout(16, 8);
  const std::optional<TunedThreads> tuned = TunedThreads{6, true};
  ThreadWishes wishes;
  EXPECT_EQ(choose_threads(wishes, {}, cores, {}).threads, 8);
  EXPECT_EQ(choose_threads(wishes, {}, cores, {}).source, ThreadsSource::kDefault);
  EXPECT_EQ(choose_threads(wishes, {}, cores, 2.0).threads, 2);
  EXPECT_EQ(choose_threads(wishes, tuned, cores, {}).threads, 6);
  EXPECT_TRUE(choose_threads(wishes, tuned, cores, {}).pin);
  wishes.environment = 5;
  EXPECT_EQ(choose_threads(wishes, tuned, cores, {}).source, ThreadsSource::kEnvironment);
  wishes.configured = 4;
  EXPECT_EQ(choose_threads(wishes, tuned, cores, {}).source, ThreadsSource::kConfiguration);
  // What was tuned with 6 threads says nothing of pinning 4.
  EXPECT_FALSE(choose_threads(wishes, tuned, cores, {}).pin);
  wishes.flag = 3;
  EXPECT_EQ(choose_threads(wishes, tuned, cores, {}).threads, 3);
  EXPECT_EQ(choose_threads(wishes, tuned, cores, {}).source, ThreadsSource::kFlag);
}

TEST(ThreadChoice, PinningIsAsAskedForElseAsTuned) {
  const CoreLayout cores = layout(4, 4);
  ThreadWishes wishes;
  wishes.configured_pin = true;
  EXPECT_TRUE(choose_threads(wishes, {}, cores, {}).pin);
  wishes.pin_flag = false;
  EXPECT_FALSE(choose_threads(wishes, TunedThreads{4, true}, cores, {}).pin);
  wishes = {};
  wishes.pin_flag = true;
  EXPECT_TRUE(choose_threads(wishes, TunedThreads{4, false}, cores, {}).pin);
}

class TunedFile : public ::testing::Test {
 protected:
  TunedFile() { spdlog::set_level(spdlog::level::off); }
  ~TunedFile() override {
    fs::remove_all(folder_);
    spdlog::set_level(spdlog::level::warn);
  }
  std::string path() const { return (folder_ / "cache/snug/tuned.json").string(); }
  const fs::path folder_ = fs::temp_directory_path() / ("snug_tuned_" + std::to_string(::getpid()));
  const TunedKey key_{"A processor", "avx2", 8, 4, {}};
};

TEST_F(TunedFile, ComesBackForTheSameCoresOnly) {
  EXPECT_FALSE(load_tuned(path(), key_).has_value());
  save_tuned(path(), key_, {3, true});
  EXPECT_EQ(load_tuned(path(), key_), (TunedThreads{3, true}));
  save_tuned(path(), key_, {4, false});
  EXPECT_EQ(load_tuned(path(), key_), (TunedThreads{4, false}));
  TunedKey other = key_;
  other.quota_cores = 2;
  EXPECT_FALSE(load_tuned(path(), other).has_value());
  save_tuned(path(), other, {2, false});
  EXPECT_EQ(load_tuned(path(), other), (TunedThreads{2, false}));
  EXPECT_EQ(load_tuned(path(), key_), (TunedThreads{4, false}));
  other = key_;
  other.logical_cores = 7;
  EXPECT_FALSE(load_tuned(path(), other).has_value());
}

TEST_F(TunedFile, DamageCountsAsNotTuned) {
  save_tuned(path(), key_, {3, true});
  std::ifstream file(path());
  const std::string good{std::istreambuf_iterator<char>(file), {}};
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    std::ofstream(path()) << text;
    return load_tuned(path(), key_);
  };
  EXPECT_TRUE(with("\"pin\"", "\"pin\"").has_value());
  EXPECT_FALSE(with("\"threads\": 3", "\"threads\": 0").has_value());
  EXPECT_FALSE(with("\"threads\": 3", "\"threads\": 1e9").has_value());
  EXPECT_FALSE(with("\"threads\": 3", "\"threads\": \"3\"").has_value());
  EXPECT_FALSE(with("\"pin\": true", "\"pin\": 1").has_value());
  EXPECT_FALSE(with("{", "[").has_value());
}

}  // namespace
}  // namespace snug
