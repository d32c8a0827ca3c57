// Plans written by hand, with weights that are streamed while kernels run: values are right whatever the
// delays, nothing is overwritten that is still read, and whatever goes wrong on either side ends both.
#include "runtime/executor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/faulty_source.h"
#include "tests/streamed_chain.h"

namespace snug {
namespace {

using std::chrono::milliseconds;
using testing::FaultySource;
using testing::StreamedChain;

// A chain, its file with faults, and an executor.
class StreamedRun : public ::testing::Test {
 protected:
  StreamedRun()
      : chain_([this](std::shared_ptr<const ByteSource> inner) {
          source_ = std::make_shared<FaultySource>(std::move(inner), [this](uint64_t offset, size_t bytes) {
            ++reads_;
            if (before_read_) before_read_(offset, bytes);
          });
          return source_;
        }) {}

  void start() {
    executor_.emplace(chain_.plan, chain_.kernels, Executor::Weights{{"part", chain_.weights()}},
                      cancellation_);
  }
  const Phase& phase() const { return chain_.plan.phases[0]; }
  void run_once(int run) {
    const int call = run / StreamedChain::kPasses, pass = run % StreamedChain::kPasses;
    executor_->set_input(phase(), "x", std::span<const float>(chain_.input(run)), call, pass);
    executor_->run(phase(), call, pass);
  }
  void expect_output(int run) {
    std::vector<float> got(chain_.expected(run).size());
    executor_->read_output(phase(), "y", got, run / StreamedChain::kPasses, run % StreamedChain::kPasses);
    EXPECT_EQ(got, chain_.expected(run)) << "run " << run;
  }
  // The whole phase; the outputs of all runs are looked at when it is over.
  void run_all() {
    executor_->begin(phase());
    for (int run = 0; run < StreamedChain::kRuns; ++run) run_once(run);
    for (int run = 0; run < StreamedChain::kRuns; ++run) expect_output(run);
  }
  // The error that ends the phase, and in which run.
  std::pair<Error, int> run_until_error() {
    executor_->begin(phase());
    int run = 0;
    try {
      for (; run < StreamedChain::kRuns; ++run) run_once(run);
    } catch (const Error& error) {
      return {error, run};
    }
    ADD_FAILURE() << "no error";
    return {Error(ErrorCode::kInternal, "none"), run};
  }
  void delay_randomly(uint32_t seed) {
    const auto delay = [seed](std::atomic<uint32_t>& count) {
      std::mt19937 random(seed * 1000 + count++);
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 3 == 0 ? random() % 1500 : 0));
    };
    before_read_ = [this, delay](uint64_t, size_t) { delay(delays_[0]); };
    chain_.backend.before_kernel = [this, delay] { delay(delays_[1]); };
  }

  std::atomic<int> reads_ = 0;
  std::function<void(uint64_t, size_t)> before_read_;
  std::array<std::atomic<uint32_t>, 2> delays_ = {};
  std::shared_ptr<FaultySource> source_;
  StreamedChain chain_;
  Cancellation cancellation_;
  std::optional<Executor> executor_;
};

TEST_F(StreamedRun, GivesTheChainsValuesInEveryCallAndPassWhateverTheDelays) {
  start();
  run_all();
  EXPECT_EQ(executor_->arena().high_water_bytes(), chain_.plan.arena_bytes);
  for (uint32_t seed = 0; seed < 10; ++seed) {
    delay_randomly(seed);
    run_all();
  }
}

// Which of the phase's loads each read of the file is for, and how many kernels must be done before it.
struct ExpectedRead {
  uint64_t offset;
  int kernels;
};

std::vector<ExpectedRead> expected_reads(const Phase& phase, const WeightIndex& weights) {
  const auto kernels_in = [&](int instructions) {
    return static_cast<int>(std::count_if(
        phase.instructions.begin(), phase.instructions.begin() + instructions,
        [](const Instruction& instruction) { return std::holds_alternative<RunKernel>(instruction); }));
  };
  const int kernels_of_run = kernels_in(static_cast<int>(phase.instructions.size()));
  std::vector<ExpectedRead> reads;
  for (int run = 0; run < phase.runs(); ++run) {
    for (const Load& load : phase.loads) {
      if (run > 0 && !load.every_run) continue;
      const Value& weight = phase.graph.value(load.value);
      const WeightEntry& entry = weights.entry(weight.name);
      const uint64_t row_bytes = entry.bytes / static_cast<uint64_t>(entry.shape[0]);
      const int counted = load.after_previous_run ? run - 1 : run;
      reads.push_back({entry.offset + row_bytes * static_cast<uint64_t>(weight.first_row + load.rows.begin),
                       counted < 0 ? 0 : counted * kernels_of_run + kernels_in(load.after)});
    }
  }
  return reads;
}

TEST_F(StreamedRun, ReadsInTheOrderOfThePlanAndNeverIntoWhatIsStillRead) {
  const std::vector<ExpectedRead> expected = expected_reads(phase(), *chain_.weights());
  std::atomic<int> kernels_done = 0;
  std::atomic<size_t> next = 0;
  // Slow kernels: whoever does not wait for them comes too early.
  chain_.backend.before_kernel = [] { std::this_thread::sleep_for(milliseconds(1)); };
  chain_.backend.after_kernel = [&] { ++kernels_done; };
  before_read_ = [&](uint64_t offset, size_t) {
    const size_t read = next++;
    ASSERT_LT(read, expected.size());
    EXPECT_EQ(offset, expected[read].offset) << "read " << read;
    EXPECT_GE(kernels_done, expected[read].kernels) << "read " << read;
  };
  start();
  run_all();
  EXPECT_EQ(next, expected.size());
}

TEST_F(StreamedRun, ReadsAheadWhileAKernelRuns) {
  // The first kernel goes on only when the second's weight has been asked for.
  std::atomic<bool> first = true, ahead = false;
  chain_.backend.before_kernel = [&] {
    if (!first.exchange(false)) return;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (reads_ < 2 && std::chrono::steady_clock::now() < limit)
      std::this_thread::sleep_for(milliseconds(1));
    ahead = reads_ >= 2;
  };
  start();
  run_all();
  EXPECT_TRUE(ahead);
}

TEST_F(StreamedRun, RecordsWhatWasReadAndHowLongItWaited) {
  before_read_ = [](uint64_t, size_t) { std::this_thread::sleep_for(milliseconds(2)); };
  start();
  run_all();
  const PhaseRecord& record = executor_->record(phase());
  ASSERT_EQ(record.loads.size(), phase().loads.size());
  uint64_t bytes = 0;
  for (size_t i = 0; i < record.loads.size(); ++i) {
    const Load& load = phase().loads[i];
    const WeightEntry& entry = chain_.weights()->entry(phase().graph.value(load.value).name);
    const uint64_t once =
        entry.bytes * static_cast<uint64_t>(load.rows.size()) / static_cast<uint64_t>(entry.shape[0]);
    EXPECT_EQ(record.loads[i].bytes, load.every_run ? StreamedChain::kRuns * once : once);
    EXPECT_GE(record.loads[i].seconds, load.every_run ? StreamedChain::kRuns * 2e-3 : 2e-3);
    bytes += record.loads[i].bytes;
  }
  EXPECT_EQ(record.read_bytes, bytes);
  EXPECT_EQ(record.run_seconds.size(), size_t{StreamedChain::kRuns});
  ASSERT_EQ(record.stall_seconds.size(), size_t{StreamedChain::kRuns});
  EXPECT_GT(record.stall_seconds[0], 2e-3);
  for (size_t run = 0; run < record.run_seconds.size(); ++run) {
    EXPECT_LE(record.stall_seconds[run], record.run_seconds[run]);
  }
}

TEST_F(StreamedRun, ReadingThatFailsInAnyRunEndsItWithTheTensorAndTheFile) {
  start();
  const size_t loads = phase().loads.size();
  for (const int fault_at : {0, 3, static_cast<int>(loads), static_cast<int>(3 * loads)}) {
    for (const bool shrinks : {false, true}) {
      source_->mend();
      reads_ = 0;
      std::string tensor;
      before_read_ = [&, fault_at](uint64_t offset, size_t) {
        if (reads_ != fault_at + 1) return;
        for (const std::string& name : chain_.weights()->names()) {
          const WeightEntry& entry = chain_.weights()->entry(name);
          if (entry.offset <= offset && offset < entry.offset + entry.bytes) tensor = name;
        }
        shrinks ? source_->shrink_to(offset) : source_->fail_from(offset);
      };
      const auto [error, run] = run_until_error();
      EXPECT_EQ(error.code(), shrinks ? ErrorCode::kTruncated : ErrorCode::kIoError);
      EXPECT_EQ(error.tensor(), tensor);
      EXPECT_EQ(error.file(), "chain.safetensors");
      EXPECT_EQ(executor_->record(phase()).run_seconds.size(), static_cast<size_t>(run));
      EXPECT_EQ(reads_, fault_at + 1) << "it stops at the fault";
    }
  }
  source_->mend();
  before_read_ = nullptr;
  run_all();  // the executor is as good as new
}

TEST_F(StreamedRun, AWeightThatIsNotThereIsMissing) {
  chain_.plan.phases[0].graph.value(phase().loads[1].value).name = "another.weight";
  start();
  const auto [error, run] = run_until_error();
  EXPECT_EQ(error.code(), ErrorCode::kMissingTensor);
  EXPECT_EQ(error.tensor(), "another.weight");
  EXPECT_EQ(run, 0);
}

TEST_F(StreamedRun, ACancellationWhileItWaitsForAWeightEndsIt) {
  start();
  before_read_ = [&](uint64_t, size_t) {
    if (reads_ == 4) cancellation_.request();
    if (reads_ == 4) std::this_thread::sleep_for(milliseconds(20));  // the executor waits meanwhile
  };
  const auto [error, run] = run_until_error();
  EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  EXPECT_EQ(error.tensor(), "");
  EXPECT_LE(reads_, 4);
}

TEST_F(StreamedRun, ACancellationWhileAKernelRunsEndsItAndLeavesTheExecutorUsable) {
  // A flag cannot be taken back; hence one for each run of the test, in the same place.
  std::optional<Cancellation> cancellation(std::in_place);
  Executor executor(chain_.plan, chain_.kernels, {{"part", chain_.weights()}}, *cancellation);
  for (const int stop_at : {0, 1, 5, 20}) {
    cancellation.emplace();
    int kernels = 0;
    chain_.backend.before_kernel = [&] {
      if (kernels++ == stop_at) cancellation->request();
    };
    executor.begin(phase());
    try {
      for (int run = 0; run < StreamedChain::kRuns; ++run) executor.run(phase(), run / 2, run % 2);
      ADD_FAILURE() << "went on";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    }
    EXPECT_EQ(kernels, stop_at + 1);
  }
  cancellation.emplace();
  chain_.backend.before_kernel = nullptr;
  executor.begin(phase());
  executor.set_input(phase(), "x", std::span<const float>(chain_.input(0)));
  executor.run(phase());
  std::vector<float> got(chain_.expected(0).size());
  executor.read_output(phase(), "y", got);
  EXPECT_EQ(got, chain_.expected(0));
}

TEST_F(StreamedRun, CanBeLeftAnywhere) {
  for (int runs = 0; runs < 3; ++runs) {
    start();
    executor_->begin(phase());
    for (int run = 0; run < runs; ++run) run_once(run);
    // The ring fills up and the streamer waits for kernels that will not run.
    std::this_thread::sleep_for(milliseconds(5));
    executor_.reset();
  }
  start();
  before_read_ = [](uint64_t, size_t) { std::this_thread::sleep_for(milliseconds(30)); };
  reads_ = 0;
  executor_->begin(phase());
  while (reads_ == 0) std::this_thread::yield();
  executor_.reset();  // in the middle of a slow read
  EXPECT_EQ(reads_, 1);
  before_read_ = nullptr;
  start();
  executor_->begin(phase());
  run_once(0);
  run_all();  // begins again without having ended
}

TEST(Streamer, ReadsLargeWeightsInPiecesAndStopsBetweenThem) {
  // 16 MiB in pieces: the stop comes in the second.
  constexpr int64_t kRows = 4096, kColumns = 1024;
  std::vector<std::byte> bytes(kRows * kColumns * sizeof(float));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i / 1000);
  std::atomic<int> reads = 0;
  Cancellation cancellation;
  std::atomic<int> stop_at = -1;
  auto source = std::make_shared<FaultySource>(view_memory("large", bytes), [&](uint64_t, size_t count) {
    EXPECT_LE(count, size_t{4} << 20);
    if (++reads == stop_at) cancellation.request();
  });
  WeightIndex weights("large");
  const StoredTensor stored = {.name = "w", .shape = {kRows, kColumns}, .bytes = bytes.size()};
  weights.add(source, {&stored, 1}, {{.stored = 0, .name = "w"}});
  Phase phase;
  Load load;
  load.value = phase.graph.add_weight("w", DType::kF32, {kRows, kColumns});
  load.rows = {0, kRows};
  load.bytes = bytes.size();
  phase.loads.push_back(load);
  std::vector<std::byte> target(bytes.size());
  {
    WeightStreamer streamer(phase, weights, {target.data()}, {}, cancellation);
    streamer.wait_for(0, 1);
  }
  EXPECT_EQ(target, bytes);
  EXPECT_GE(reads, 4);

  reads = 0;
  stop_at = 2;
  WeightStreamer streamer(phase, weights, {target.data()}, {}, cancellation);
  try {
    streamer.wait_for(0, 1);
    ADD_FAILURE() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(reads, 2);
  EXPECT_THROW(streamer.wait_for(0, 1), Error) << "again";
}

TEST(StreamerDeathTest, APlanInWhichBothSidesWaitIsABugAndNoHang) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  StreamedChain chain;
  chain.plan.phases[0].loads[2].after = 100;
  const Cancellation cancellation;
  Executor executor(chain.plan, chain.kernels, {{"part", chain.weights()}}, cancellation);
  executor.begin(chain.plan.phases[0]);
  EXPECT_DEATH(executor.run(chain.plan.phases[0]), "no load waits for an instruction");
}

TEST(Executor, MovesBytesThatOverlap) {
  Plan plan;
  Phase phase;
  const ValueId x = phase.graph.add_input("x", DType::kI32, {100}, Variability::kRequest);
  const ValueId y = phase.graph.add_input("y", DType::kF32, {60}, Variability::kRequest);
  plan.buffers.push_back({"band", BufferKind::kActivation, 400, 0, 0, 64});
  plan.arena_bytes = 464;
  phase.inputs.push_back({"x", x, {0}});
  phase.outputs.push_back({"y", y, {0}});
  phase.instructions.push_back(Move{{0, 160}, {0, 0}, 240});
  plan.phases.push_back(phase);
  testing::PlainBackend backend;
  const KernelSet kernels(backend);
  const Cancellation cancellation;
  Executor executor(plan, kernels, {}, cancellation);  // no loads: no weights, no thread
  executor.begin(plan.phases[0]);
  std::vector<int32_t> values(100);
  for (int i = 0; i < 100; ++i) values[static_cast<size_t>(i)] = i;
  executor.set_input(plan.phases[0], "x", std::span<const int32_t>(values));
  executor.run(plan.phases[0]);
  std::vector<float> got(60);
  executor.read_output(plan.phases[0], "y", got);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(std::bit_cast<int32_t>(got[i]), static_cast<int>(i) + 40);
  EXPECT_EQ(executor.arena().high_water_bytes(), plan.arena_bytes);
}

TEST(Executor, RefusesToStartWithoutRoomToSpill) {
  StreamedChain chain;
  const Cancellation cancellation;
  const Executor::Weights weights = {{"part", chain.weights()}};
  try {
    const Executor executor(chain.plan, chain.kernels, weights, cancellation, "/nowhere/at/all");
    ADD_FAILURE() << "started";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIoError);
  }
  chain.plan.scratch_file_bytes = uint64_t{1} << 55;
  try {
    const Executor executor(chain.plan, chain.kernels, weights, cancellation);
    ADD_FAILURE() << "started";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDiskFull);
  }
}

TEST(KernelSetTest, TellsThePlannerWhatTheKernelsMayDo) {
  const StreamedChain chain;
  testing::PlainBackend backend;
  KernelSet kernels(backend);
  const Graph& graph = chain.plan.phases[0].graph;
  const auto spec = [&](size_t layer) {
    const Node& node = graph.nodes()[layer];
    return NodeSpec{node.op, node.attrs, graph.operands(node), graph.operand(node.output)};
  };
  const KernelFacts& f32 = kernels.choose(spec(0));
  EXPECT_EQ(f32.name, "plain_linear");
  EXPECT_EQ(f32.weight_dtypes[1], DType::kF32);
  EXPECT_EQ(kernels.choose(spec(1)).weight_dtypes[1], DType::kF16);
  EXPECT_EQ(kernels.choose(spec(2)).weight_dtypes[1], DType::kF32);  // stored as BF16
  EXPECT_EQ(kernels.choose(spec(4)).may_overwrite, (std::vector<bool>{false, false, false, true}));
  EXPECT_EQ(f32.may_overwrite, std::vector<bool>(4, false)) << "no residual to overwrite";
  EXPECT_TRUE(f32.splits_channels);
  EXPECT_FALSE(f32.splits_pixels);
  EXPECT_EQ(f32.channel_step, 8);
  ASSERT_EQ(f32.declined.size(), 1u);
  EXPECT_EQ(&kernels.choose(spec(3)), &f32) << "equal nodes share one";
  EXPECT_EQ(kernels.size(), 4u);
}

}  // namespace
}  // namespace snug
