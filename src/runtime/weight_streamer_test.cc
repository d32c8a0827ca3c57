// The streamer where a run begins in its middle: what is still read is there, in time, and nothing else is
// read. How it streams whole runs is executor_test.cc.
#include "runtime/weight_streamer.h"

#include <atomic>

#include <gtest/gtest.h>

#include "tests/faulty_source.h"
#include "tests/streamed_chain.h"

namespace snug {
namespace {

using testing::StreamedChain;

// One run of the chain, without kernels: what lies where each instruction reads its weight.
class ChainWeights {
 public:
  ChainWeights()
      : chain_([this](std::shared_ptr<const ByteSource> file) {
          return std::make_shared<testing::FaultySource>(std::move(file),
                                                         [this](uint64_t, size_t) { ++reads_; });
        }),
        phase_(chain_.plan.phases[0]) {
    phase_.calls = phase_.passes = 1;
  }

  // By instruction from `first` on; empty for those that run no kernel.
  std::vector<std::vector<std::byte>> seen_from(size_t first) {
    std::vector<std::byte> arena(chain_.plan.arena_bytes);
    const auto at = [&](const Location& place) {
      return arena.data() + chain_.plan.buffers[static_cast<size_t>(place.buffer)].offset + place.offset;
    };
    std::vector<std::byte*> targets;
    for (const Load& load : phase_.loads) targets.push_back(at(load.target));
    reads_ = 0;
    std::vector<std::vector<std::byte>> seen;
    {
      const Cancellation never;
      WeightStreamer streamer(phase_, *chain_.weights(), targets, {}, never, nullptr, false, first);
      for (size_t i = first; i < phase_.instructions.size(); ++i) {
        seen.emplace_back();
        if (const auto* run = std::get_if<RunKernel>(&phase_.instructions[i])) {
          streamer.wait_for(0, run->loads_needed);
          const Load& load = phase_.loads[static_cast<size_t>(run->loads_needed - 1)];
          const std::byte* weight = at(run->inputs[1].location);
          seen.back().assign(weight, weight + load.bytes);
        }
        streamer.instruction_done();
      }
    }
    return seen;
  }
  size_t instructions() const { return phase_.instructions.size(); }
  size_t loads() const { return phase_.loads.size(); }
  int reads() const { return reads_; }

 private:
  std::atomic<int> reads_ = 0;
  StreamedChain chain_;
  Phase phase_;
};

TEST(StreamerTest, ARunThatBeginsInTheMiddleHasItsWeightsAndReadsNoOthers) {
  ChainWeights weights;
  const auto whole = weights.seen_from(0);
  EXPECT_EQ(weights.reads(), static_cast<int>(weights.loads()));
  int before = weights.reads();
  for (size_t first = 1; first < weights.instructions(); ++first) {
    const auto seen = weights.seen_from(first);
    ASSERT_EQ(seen.size(), whole.size() - first);
    for (size_t i = 0; i < seen.size(); ++i) EXPECT_TRUE(seen[i] == whole[first + i]) << first << " " << i;
    EXPECT_LE(weights.reads(), before) << first;
    before = weights.reads();
  }
  EXPECT_EQ(before, 1) << "what the last kernel reads is all";
}

}  // namespace
}  // namespace snug
