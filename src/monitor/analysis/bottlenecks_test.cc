#include "monitor/analysis/bottlenecks.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "monitor/analysis/record_fixture.h"
#include "monitor/analysis/time_shares.h"
#include "monitor/analysis/window_bottlenecks.h"

namespace snug {
namespace {

using testing::made_up_peaks;
using testing::MadeUpRun;
using Kind = BottleneckKind;

Kind first_of(const MadeUpRun& run, const MachinePeaks& peaks = made_up_peaks()) {
  const std::vector<Bottleneck> found = bottlenecks_of(run.finished(), peaks);
  return found.empty() ? Kind::kTransfer : found.front().kind;
}

// How a stress of `seconds` of lost time looks in the counters.
using Stress = std::function<void(MadeUpRun&, double seconds)>;
const std::map<Kind, Stress>& stresses() {
  static const std::map<Kind, Stress> kStresses = {
      {Kind::kDisk,
       [](MadeUpRun& run, double seconds) {
         run.wait_longer(1, seconds);
         run.record.disk_read_bytes = 900'000'000;
         run.record.io_pressure_seconds = *run.record.io_pressure_seconds + seconds;
       }},
      {Kind::kQueue,
       [](MadeUpRun& run, double seconds) {
         run.record.queue_seconds = *run.record.queue_seconds + seconds;
         run.longer(seconds);
       }},
      {Kind::kLoad,
       [](MadeUpRun& run, double seconds) {
         run.record.load_seconds = *run.record.load_seconds + seconds;
         run.longer(seconds);
       }},
      {Kind::kMemoryPressure,
       [](MadeUpRun& run, double seconds) {
         // Reading again takes as long as predicted.
         run.wait_longer(1, seconds);
         run.grow(1, "predicted_waiting_seconds", seconds);
         run.grow(1, "streamed_bytes", 5e7 * seconds);
         run.grow(1, "read_bytes", 19 * 5e7 * seconds);
       }},
      {Kind::kThrottling,
       [](MadeUpRun& run, double seconds) {
         run.record.throttled_seconds = *run.record.throttled_seconds + 8 * seconds;  // of eight cores
         run.grow(1, "seconds", seconds);
         run.longer(seconds);
       }},
      {Kind::kOtherPrograms,
       [](MadeUpRun& run, double seconds) {
         run.grow(1, "seconds", seconds);
         run.longer(seconds);
         // Their cores are missing: the run lost `seconds` of its time.
         const double lost = seconds / (10.2 + seconds);
         run.record.other_cpu_percent = std::min(99.0, *run.record.other_cpu_percent + 100 * lost);
       }},
  };
  return kStresses;
}

TEST(BottlenecksTest, NamesComputeFirstWhenNothingIsWrong) {
  const RunBottlenecks found = analyse_run(MadeUpRun().finished(), made_up_peaks());
  ASSERT_FALSE(found.job.empty());
  EXPECT_EQ(found.job.front().kind, Kind::kCompute);
  EXPECT_EQ(found.job.front().severity, "info");
  EXPECT_NEAR(found.job.front().evidence["share_of_limit"].get<double>(), 0.76, 0.02);
  EXPECT_EQ(found.phases.size(), 3U);
  for (const Bottleneck& phase : found.phases) EXPECT_EQ(phase.kind, Kind::kCompute) << phase.phase;
  EXPECT_LT(found.unattributed_share, 0.02);
}

TEST(BottlenecksTest, NamesEachStressFirst) {
  for (const auto& [kind, stress] : stresses()) {
    for (const double seconds : {3.0, 10.0, 100.0}) {
      MadeUpRun run;
      stress(run, seconds);
      const std::vector<Bottleneck> found = bottlenecks_of(run.finished(), made_up_peaks());
      ASSERT_FALSE(found.empty());
      EXPECT_EQ(bottleneck_kind_name(found.front().kind), bottleneck_kind_name(kind)) << seconds;
      EXPECT_NEAR(found.front().seconds, seconds, 0.15 * seconds + 0.2) << bottleneck_kind_name(kind);
      EXPECT_FALSE(found.front().description.empty());
      EXPECT_FALSE(found.front().recommendation.empty());
      EXPECT_TRUE(found.front().evidence.contains("sources"));
    }
  }
}

TEST(BottlenecksTest, NamesMemoryBandwidthWherePhasesMoveMoreThanTheyCompute) {
  MadeUpRun run;
  for (size_t i = 0; i < 3; ++i) {
    run.phase(i)["flops"] = run.phase(i)["flops"].get<double>() / 20;
    run.phase(i)["bytes"] = run.phase(i)["bytes"].get<double>() * 4;
  }
  EXPECT_EQ(first_of(run), Kind::kMemoryBandwidth);
}

TEST(BottlenecksTest, NamesASlowClockWhereCoresWereBusyOnly) {
  MadeUpRun run;
  run.detail["machine"]["frequency_hertz"] = 1.2e9;
  EXPECT_EQ(first_of(run), Kind::kThrottling);
  run.record.cpu_percent = 20;  // idle cores slow down by themselves
  EXPECT_EQ(first_of(run), Kind::kCompute);
  run.detail["machine"]["thermal_throttles"] = 3;
  EXPECT_EQ(first_of(run), Kind::kThrottling);
}

TEST(BottlenecksTest, NamesLoadWhereAColdModelIsReadAsFastAsPredicted) {
  MadeUpRun run;
  for (size_t i = 0; i < 3; ++i) {
    run.wait_longer(i, 4);
    run.grow(i, "predicted_waiting_seconds", 4);
  }
  EXPECT_EQ(first_of(run), Kind::kLoad);
}

TEST(BottlenecksTest, DoesNotBlameADiskOfWhichTheKernelSawNothing) {
  MadeUpRun run;
  run.wait_longer(1, 20);
  EXPECT_EQ(first_of(run), Kind::kLoad);  // the kernel counted, and there was nothing
  run.record.disk_read_bytes.reset();
  run.record.io_pressure_seconds.reset();
  EXPECT_EQ(first_of(run), Kind::kDisk);  // nobody counted: waiting for weights is what is known
}

TEST(BottlenecksTest, NamesSpillingAndWaitingForMemory) {
  MadeUpRun spills;
  spills.phase(1)["spilled_bytes"] = 1e8;  // 20 runs, out and back
  EXPECT_EQ(first_of(spills), Kind::kMemoryPressure);
  MadeUpRun stalls;
  stalls.record.memory_pressure_seconds = 5;
  EXPECT_EQ(first_of(stalls), Kind::kMemoryPressure);
}

TEST(BottlenecksTest, SaysWhatItCannotKnowInPlaceOfGuessing) {
  RunRecord bare;
  bare.state = "done";
  bare.total_seconds = 10;
  const RunBottlenecks found = analyse_run(bare, made_up_peaks());
  EXPECT_TRUE(found.job.empty());
  std::set<Kind> undecided;
  for (const Undecided& one : found.undecided) {
    undecided.insert(one.kind);
    EXPECT_FALSE(one.reason.empty());
  }
  EXPECT_EQ(undecided.size(), kBottleneckKinds);

  bare.cached = true;
  EXPECT_TRUE(analyse_run(bare, made_up_peaks()).job.empty());
  bare.cached = false;
  bare.detail = "not JSON {";
  EXPECT_TRUE(analyse_run(bare, made_up_peaks()).job.empty());
  bare.total_seconds.reset();
  EXPECT_TRUE(analyse_run(bare, made_up_peaks()).job.empty());
}

TEST(BottlenecksTest, JudgesNoOtherMachineByThisOnesRates) {
  MadeUpRun run;
  run.record.machine = "another";
  MachinePeaks peaks = made_up_peaks();
  peaks.machine = "this";
  const RunBottlenecks found = analyse_run(run.finished(), peaks);
  for (const Bottleneck& one : found.job) EXPECT_TRUE(is_avoidable(one.kind));
  EXPECT_GT(found.unattributed_share, 0.9);
}

TEST(BottlenecksTest, AFailedJobThatWaitedNamesItsQueue) {
  RunRecord failed;
  failed.state = "failed";
  failed.total_seconds = 60;
  failed.queue_seconds = 55;
  const std::vector<Bottleneck> found = bottlenecks_of(failed, made_up_peaks());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().kind, Kind::kQueue);
  EXPECT_EQ(found.front().severity, "critical");
}

// Random runs, in which anything may be unknown, wrong or extreme.
MadeUpRun random_run(std::mt19937_64& random) {
  MadeUpRun run;
  std::uniform_real_distribution<double> uniform(0, 1);
  const auto often = [&] { return uniform(random) < 0.7; };
  for (const auto& [kind, stress] : stresses())
    if (uniform(random) < 0.4) stress(run, 30 * std::pow(uniform(random), 3));
  RunRecord& r = run.record;
  for (auto* number : {&r.queue_seconds, &r.turn_wait_seconds, &r.load_seconds, &r.other_cpu_percent,
                       &r.throttled_seconds, &r.memory_pressure_seconds, &r.io_pressure_seconds,
                       &r.cpu_percent, &r.phases_seconds, &r.waiting_seconds}) {
    if (!often()) number->reset();
    if (uniform(random) < 0.1) *number = 1000 * uniform(random);
  }
  if (!often()) r.disk_read_bytes.reset();
  if (!often()) r.threads.reset();
  r.kept = uniform(random) < 0.3;
  r.precision = often() ? "f32" : "bf16";
  for (size_t i = 0; i < 3; ++i) {
    for (const char* name : {"waiting_seconds", "flops", "bytes", "read_bytes", "streamed_bytes",
                             "predicted_waiting_seconds", "seconds"}) {
      if (uniform(random) < 0.1) run.phase(i)[name] = 0;
      if (uniform(random) < 0.05) run.phase(i)[name] = 1e12 * uniform(random);
      if (uniform(random) < 0.03) run.phase(i)[name] = "no number";
      if (uniform(random) < 0.03) run.phase(i)[name] = -5;
    }
  }
  return run;
}

TEST(BottlenecksTest, SharesAddUpToNoMoreThanThereIs) {
  std::mt19937_64 random(11);
  for (int trial = 0; trial < 3000; ++trial) {
    const RunRecord record = random_run(random).finished();
    const TimeShares shares = share_time(record, made_up_peaks());
    double sum = shares.unattributed_seconds;
    for (const double seconds : shares.seconds) {
      ASSERT_GE(seconds, 0) << trial;
      sum += seconds;
    }
    ASSERT_NEAR(sum, shares.total_seconds, 1e-6 * shares.total_seconds) << trial << record.detail;
    for (const PhaseShare& part : shares.phases) {
      double in_phase = 0;
      for (const double seconds : part.seconds) in_phase += seconds;
      ASSERT_LE(in_phase, part.phase.seconds * (1 + 1e-9)) << trial;
    }
    for (const Bottleneck& found : bottlenecks_of(record, made_up_peaks())) {
      ASSERT_GE(found.share, kLeastShare);
      ASSERT_LE(found.share, 1);
    }
  }
}

// 0: first. Not found: behind all.
size_t rank_of(Kind kind, const MadeUpRun& run) {
  const std::vector<Bottleneck> found = bottlenecks_of(run.finished(), made_up_peaks());
  const auto place =
      std::find_if(found.begin(), found.end(), [&](const Bottleneck& b) { return b.kind == kind; });
  return place == found.end() ? kBottleneckKinds : static_cast<size_t>(place - found.begin());
}

TEST(BottlenecksTest, MoreOfAStressNeverLowersItsRank) {
  std::mt19937_64 random(12);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int trial = 0; trial < 500; ++trial) {
    MadeUpRun run;
    for (const auto& [kind, stress] : stresses())
      if (uniform(random) < 0.5) stress(run, 20 * uniform(random));
    for (const auto& [kind, stress] : stresses()) {
      MadeUpRun more = run;
      stress(more, 0.1 + 10 * uniform(random));
      ASSERT_LE(rank_of(kind, more), rank_of(kind, run))
          << bottleneck_kind_name(kind) << " in trial " << trial;
    }
  }
}

TEST(WindowBottlenecksTest, AddsUpByKindAndShowsTheWorstRuns) {
  std::vector<RunRecord> records;
  for (int i = 0; i < 10; ++i) {
    MadeUpRun run;
    run.record.id = std::to_string(i);
    if (i >= 6) stresses().at(Kind::kQueue)(run, 10.0 * i);
    records.push_back(run.finished());
  }
  records.emplace_back();  // has not ended
  MadeUpRun cached;
  cached.record.cached = true;
  records.push_back(cached.finished());
  const WindowBottlenecks window = window_bottlenecks(records, made_up_peaks());
  EXPECT_EQ(window.analysed, 10);
  ASSERT_FALSE(window.found.empty());
  const WindowBottleneck& first = window.found.front();
  EXPECT_EQ(first.total.kind, Kind::kQueue);
  EXPECT_EQ(first.runs, 4);
  EXPECT_NEAR(first.total.seconds, 300, 1);
  EXPECT_NEAR(first.total.share, 300 / 402.0, 0.01);
  EXPECT_EQ(first.total.severity, "critical");
  ASSERT_EQ(first.worst.size(), 3U);
  EXPECT_EQ(first.worst[0].id, "9");
  EXPECT_EQ(first.worst[2].id, "7");
  EXPECT_TRUE(window_bottlenecks({}, made_up_peaks()).found.empty());
}

}  // namespace
}  // namespace snug
