// Properties of offsets over many random cases.
#include "plan/offsets.h"

#include <algorithm>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

namespace snug {
namespace {

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  int64_t pick(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }

 private:
  std::mt19937 random_;
};

bool live_together(const Buffer& a, const Buffer& b) {
  return a.first_use <= b.last_use && b.first_use <= a.last_use;
}

// What no placement can beat: the most bytes alive at one time.
uint64_t most_live_bytes(const std::vector<Buffer>& buffers) {
  uint64_t most = 0;
  for (const Buffer& start : buffers) {
    uint64_t now = 0;
    for (const Buffer& b : buffers) {
      if (b.first_use <= start.first_use && b.last_use >= start.first_use) now += b.bytes;
    }
    most = std::max(most, now);
  }
  return most;
}

std::vector<Buffer> random_buffers(Dice& dice) {
  std::vector<Buffer> buffers(static_cast<size_t>(dice.pick(1, 60)));
  const int64_t times = dice.pick(1, 40);
  const int64_t largest = int64_t{1} << dice.pick(4, 40);  // to beyond 4 GiB
  for (Buffer& buffer : buffers) {
    buffer.bytes = static_cast<uint64_t>(dice.pick(dice.pick(0, 20) == 0 ? 0 : 1, largest));
    buffer.first_use = static_cast<int>(dice.pick(0, times - 1));
    buffer.last_use = static_cast<int>(std::min(times - 1, buffer.first_use + dice.pick(0, times / 2)));
  }
  return buffers;
}

TEST(Offsets, RandomBuffersNeverOverlapAndEndWhereTheArenaEnds) {
  Dice dice(1);
  double ratio_sum = 0, ratio_worst = 0;
  int ratios = 0;
  constexpr int kSets = 1500;
  for (int set = 0; set < kSets; ++set) {
    std::vector<Buffer> buffers = random_buffers(dice);
    const auto alignment = uint64_t{1} << dice.pick(0, 12);
    const uint64_t arena_bytes = place_buffers(buffers, alignment);
    uint64_t highest_end = 0, sum = 0;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const Buffer& a = buffers[i];
      ASSERT_EQ(a.offset % alignment, 0u);
      highest_end = std::max(highest_end, a.offset + a.bytes);
      sum += (a.bytes + alignment - 1) / alignment * alignment;
      for (size_t j = 0; j < i; ++j) {
        const Buffer& b = buffers[j];
        if (a.bytes == 0 || b.bytes == 0 || !live_together(a, b)) continue;
        ASSERT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset) << "set " << set;
      }
    }
    ASSERT_EQ(arena_bytes, highest_end);
    ASSERT_LE(arena_bytes, sum);
    const uint64_t bound = most_live_bytes(buffers);
    ASSERT_GE(arena_bytes, bound);
    // Small buffers pay for their alignment; the ratio is about placing.
    if (bound < 64 * alignment) continue;
    const double ratio = static_cast<double>(arena_bytes) / static_cast<double>(bound);
    ratio_sum += ratio;
    ++ratios;
    ratio_worst = std::max(ratio_worst, ratio);
  }
  const double mean = ratio_sum / ratios;
  std::printf("offsets over %d sets: arena / lower bound mean %.4f, worst %.3f\n", kSets, mean, ratio_worst);
  EXPECT_LT(mean, 1.1);
}

TEST(Offsets, DependOnTheBuffersAlone) {
  Dice dice(2);
  std::vector<Buffer> buffers = random_buffers(dice);
  std::vector<Buffer> again = buffers;
  EXPECT_EQ(place_buffers(buffers, 64), place_buffers(again, 64));
  for (size_t i = 0; i < buffers.size(); ++i) EXPECT_EQ(buffers[i].offset, again[i].offset);
}

TEST(Offsets, NothingTakesNothing) {
  std::vector<Buffer> none;
  EXPECT_EQ(place_buffers(none, 64), 0u);
}

}  // namespace
}  // namespace snug
