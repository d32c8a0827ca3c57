// That the service's benchmark measures what it says, by tiny runs of it against the program, and what is
// made of its figures.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bench/serve_report.h"
#include "tests/program.h"

namespace snug::bench {
namespace {

constexpr Ask kSmall = {.seed = 1, .prompt = 0, .edge_px = 64, .steps = 1};

struct SmallService {
  testing::ScratchFolder folder{"serve-bench-test"};
  ServeProcess process{folder.path().string()};
};

TEST(ServeBench, HitsComeFromTheCacheAtTheRateThatIsAskedFor) {
  const SmallService service;
  const HitTimes times = time_hits_open(
      service.process.port(), {.per_second = 50, .seconds = 0.4, .connections = 2, .picture = kSmall});
  ASSERT_EQ(times.accepted.size(), 20u);
  for (size_t i = 0; i < times.accepted.size(); ++i) {
    EXPECT_GT(times.accepted[i], 0);
    EXPECT_GT(times.fetched[i], 0);
    EXPECT_GE(times.both[i], times.accepted[i]);
  }
  const ClosedTimes closed =
      time_hits_closed(service.process.port(), {.clients = 2, .seconds = 0.1, .picture = kSmall});
  EXPECT_GE(closed.seconds.size(), 2u);
  EXPECT_GT(closed.per_second, 0);
}

TEST(ServeBench, AHitHasTheBytesOfThePictureThatWasMade) {
  const SmallService service;
  const HitPairs pairs = time_pairs(service.process.port(), 2, kSmall);
  EXPECT_EQ(pairs.made.size(), 2u);
  EXPECT_EQ(pairs.hit.size(), 2u);
  EXPECT_EQ(pairs.equal, 2);
}

TEST(ServeBench, TheThreeWaysMakeTheSamePictures) {
  const SmallService service;
  const ThroughputTimes times = time_throughput(service.process.port(), service.folder.path().string(),
                                                {.pictures = 2, .rounds = 1, .first = kSmall});
  EXPECT_EQ(times.at_once_gains().size(), 1u);
  EXPECT_EQ(times.in_turn_gains().size(), 1u);
  EXPECT_EQ(times.compared, 8);  // the warm-up's too
  EXPECT_EQ(times.equal, 8);
}

TEST(ServeBench, WatchesMemoryOverJobsAndListeners) {
  const SmallService service;
  const MemoryOverJobs memory =
      run_many_jobs(service.process, {.jobs = 30, .warm_up = 10, .waiting = 3, .sample_every = 5});
  ASSERT_EQ(memory.samples.size(), 5u);
  EXPECT_EQ(memory.samples.front().jobs, 10);
  EXPECT_EQ(memory.samples.back().jobs, 30);
  EXPECT_GT(memory.first_bytes(), 1e6);
  EXPECT_GT(memory.stored_bytes_per_job, 0);
  const ListenersFound listeners = run_listeners(service.process, 5);
  EXPECT_EQ(listeners.told_of_end, 5);
  EXPECT_GE(listeners.least_events, 2);  // that it runs, and that it is done
  EXPECT_GT(listeners.idle_bytes, 0u);
}

TEST(ServeBench, SlopeIsOfTheSamples) {
  MemoryOverJobs memory;
  for (const int jobs : {10, 20, 30})
    memory.samples.push_back({jobs, 1000 + 7 * static_cast<uint64_t>(jobs)});
  EXPECT_NEAR(memory.slope_bytes_per_job(), 7, 1e-9);
  EXPECT_EQ(memory.first_bytes(), 1070);
  EXPECT_EQ(memory.last_bytes(), 1210);
}

Met met(const ServeFound& found) {
  const std::vector<Target> targets = serve_targets(found);
  EXPECT_EQ(targets.size(), 1u);
  return targets.front().met;
}

TEST(ServeTargets, TellWhatWasReachedFromWhatWasNot) {
  ServeFound found;
  found.pairs = HitPairs{.made = {0.3}, .hit = {0.002}, .equal = 1};
  EXPECT_EQ(met(found), Met::kPass);
  found.pairs->equal = 0;
  EXPECT_EQ(met(found), Met::kFail);
  found.pairs = HitPairs{.made = {0.3}, .hit = {0.004}, .equal = 1};
  EXPECT_EQ(met(found), Met::kFail);

  ServeFound memory;
  memory.memory.emplace();
  memory.memory->samples = {{10, 1000}, {20, 1009}};
  EXPECT_EQ(met(memory), Met::kPass);
  memory.memory->samples.back().bytes = 1011;
  EXPECT_EQ(met(memory), Met::kFail);

  ServeFound listeners;
  listeners.listeners = ListenersFound{
      .listeners = 500, .before_bytes = 1'000'000, .idle_bytes = 20'000'000, .told_of_end = 500};
  EXPECT_EQ(met(listeners), Met::kPass);
  listeners.listeners->told_of_end = 499;
  EXPECT_EQ(met(listeners), Met::kFail);
}

TEST(ServeRecord, HoldsEverySampleAndTarget) {
  ServeFound found;
  found.throughput = ThroughputTimes{
      .pictures = 4, .command_line = {4, 4}, .at_once = {2, 4}, .in_turn = {4, 5}, .compared = 8, .equal = 8};
  const auto targets = serve_targets(found);
  const auto json = record_json(serve_record(found, targets));
  EXPECT_EQ(json.at("benchmark"), "serve");
  EXPECT_EQ(json.at("results").size(), 3u);
  EXPECT_EQ(json.at("results").at(1).at("samples_seconds").size(), 2u);
  EXPECT_EQ(json.at("targets").size(), 3u);
  EXPECT_EQ(targets[0].met, Met::kPass);  // 1.5 in the median
  EXPECT_EQ(targets[1].met, Met::kFail);  // 0.9
  EXPECT_NE(serve_report(found, targets, false).find("4 pictures"), std::string::npos);
}

}  // namespace
}  // namespace snug::bench
