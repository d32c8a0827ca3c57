// What is sampled is what the process really holds.
#include "runtime/memory_samples.h"

#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "base/process_memory.h"
#include "base/units.h"
#include "runtime/arena.h"

namespace snug {
namespace {

using namespace std::chrono_literals;

TEST(MemorySamples, FollowAnArenaAsItFills) {
  MemorySamples samples(MemorySamples::Clock::now(), 1ms);
  std::this_thread::sleep_for(5ms);
  const uint64_t before = process_memory().resident_bytes;
  constexpr uint64_t kBytes = 32 * kMiB;
  {
    Arena arena(kBytes);
    std::memset(arena.at(0), 1, kBytes);
    std::this_thread::sleep_for(10ms);
  }
  std::this_thread::sleep_for(5ms);
  samples.stop();
  ASSERT_GE(samples.samples().size(), 4u);
  uint64_t most_bytes = 0, most_arena_bytes = 0;
  int64_t last_ns = -1;
  for (const MemorySample& sample : samples.samples()) {
    EXPECT_GT(sample.at_ns, last_ns);
    EXPECT_GE(sample.resident_bytes, sample.arena_bytes);
    last_ns = sample.at_ns;
    most_bytes = std::max(most_bytes, sample.resident_bytes);
    most_arena_bytes = std::max(most_arena_bytes, sample.arena_bytes);
  }
  EXPECT_EQ(most_arena_bytes, kBytes);
  EXPECT_NEAR(static_cast<double>(most_bytes - before), static_cast<double>(kBytes), 2.0 * kMiB);
  EXPECT_EQ(samples.samples().front().arena_bytes, 0u);
  EXPECT_EQ(samples.samples().back().arena_bytes, 0u);
}

TEST(MemorySamples, ALongRunFitsIntoTheSameMemory) {
  MemorySamples samples(MemorySamples::Clock::now(), 200us, 8);
  std::this_thread::sleep_for(50ms);
  samples.stop();
  EXPECT_LE(samples.samples().size(), 8u);
  EXPECT_GE(samples.samples().size(), 3u);
  EXPECT_GT(samples.interval_seconds(), 0.002);
  // From the beginning to the end.
  EXPECT_LT(samples.samples().front().at_ns, 20'000'000);
  EXPECT_GT(samples.samples().back().at_ns, 45'000'000);
}

}  // namespace
}  // namespace snug
