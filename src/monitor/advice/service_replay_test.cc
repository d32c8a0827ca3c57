// The replay against what queues are known to do: Lindley's recursion for one server, and hand-computed cases
// of joining, keeping and caching.

#include "monitor/advice/service_replay.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "monitor/statistics/repeatable_random.h"

namespace snug {
namespace {

ReplayJob job(double arrival_seconds, const std::string& content, int shape = 0) {
  return {.arrival_seconds = arrival_seconds,
          .shape = shape,
          .content = content,
          .prompt = content,
          .result_bytes = 10};
}

CostOfRun takes(double compute_seconds) {
  return [=](int, int64_t pictures) {
    RunCost cost;
    cost.compute_seconds = compute_seconds * static_cast<double>(pictures);
    return cost;
  };
}

TEST(ServiceReplay, IsLindleysRecursionForOneLane) {
  RepeatableRandom random(3);
  std::vector<ReplayJob> jobs;
  double now = 0;
  for (int i = 0; i < 300; ++i) {
    now += random.uniform();
    jobs.push_back(job(now, std::to_string(i)));
    jobs.back().time_factor = 2 * random.uniform();
  }
  jobs.front().arrival_seconds = 0;
  const double compute = 0.45;
  const ReplayFigures figures = replay(jobs, {}, takes(compute));
  double wait = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const double service = compute * jobs[i].time_factor;
    EXPECT_NEAR(figures.job_seconds[i], wait + service, 1e-9) << i;
    if (i + 1 < jobs.size())
      wait = std::max(0.0, wait + service - (jobs[i + 1].arrival_seconds - jobs[i].arrival_seconds));
  }
  EXPECT_EQ(figures.runs, 300);
  EXPECT_EQ(figures.failed, 0);
}

TEST(ServiceReplay, AnswersEqualJobsFromTheCacheAsFarAsItReaches) {
  const std::vector<ReplayJob> jobs = {job(0, "a"), job(5, "a"), job(10, "b"), job(15, "c"), job(20, "a")};
  ReplayLimits limits;
  EXPECT_EQ(replay(jobs, limits, takes(1)).cached, 0);
  limits.result_bytes = 20;  // two of them
  EXPECT_EQ(replay(jobs, limits, takes(1)).cached, 1);
  limits.result_bytes = 30;
  const ReplayFigures all = replay(jobs, limits, takes(1));
  EXPECT_EQ(all.cached, 2);
  EXPECT_DOUBLE_EQ(all.mean_seconds, 3.0 / 5);
}

TEST(ServiceReplay, LetsTheLaterOfTwoEqualJobsWaitForTheEarlier) {
  ReplayLimits limits;
  limits.result_bytes = 100;
  limits.runs_at_once = 2;
  const ReplayFigures figures = replay({job(0, "a"), job(0.5, "a")}, limits, takes(2));
  EXPECT_EQ(figures.runs, 1);
  EXPECT_DOUBLE_EQ(figures.job_seconds[1], 1.5);
}

TEST(ServiceReplay, JoinsJobsOnlyWhereThatIsPredictedToGain) {
  ReplayLimits limits;
  limits.most_batch = 4;
  const std::vector<ReplayJob> jobs = {job(0, "a"), job(0, "b"), job(0, "c"), job(0, "d"), job(0, "e", 1)};
  EXPECT_EQ(replay(jobs, limits, takes(1)).shared, 0);
  const auto sublinear = [](int, int64_t pictures) {
    RunCost cost;
    cost.compute_seconds = 1 + 0.1 * static_cast<double>(pictures);
    return cost;
  };
  const ReplayFigures joined = replay(jobs, limits, sublinear);
  EXPECT_EQ(joined.shared, 4);
  EXPECT_EQ(joined.runs, 2);
  EXPECT_DOUBLE_EQ(joined.job_seconds[3], 1.4);
  EXPECT_DOUBLE_EQ(joined.job_seconds[4], 1.4 + 1.1);
}

TEST(ServiceReplay, KeepsWeightsInTheirShareOfMemory) {
  const auto cost = [](int, int64_t) {
    RunCost run;
    run.load_seconds = 3;
    run.compute_seconds = 1;
    run.peak_bytes = run.kept_bytes = 100;
    return run;
  };
  const std::vector<ReplayJob> alternating = {job(0, "a", 0), job(10, "b", 1), job(20, "c", 0),
                                              job(30, "d", 1)};
  ReplayLimits limits;
  limits.budget_bytes = 1000;
  limits.models_share = 0.5;
  EXPECT_EQ(replay(alternating, limits, cost).kept, 2);
  limits.models_share = 0.05;
  EXPECT_EQ(replay(alternating, limits, cost).kept, 0);
  EXPECT_DOUBLE_EQ(replay(alternating, limits, cost).mean_seconds, 4);
}

TEST(ServiceReplay, OverlapsLoadingWithAnothersKernelsWhereMemoryAllows) {
  const auto cost = [](int, int64_t) {
    RunCost run;
    run.load_seconds = 2;
    run.compute_seconds = 3;
    run.peak_bytes = 100;
    return run;
  };
  const std::vector<ReplayJob> jobs = {job(0, "a", 0), job(0, "b", 1)};
  ReplayLimits limits;
  limits.models_share = 0;
  limits.budget_bytes = 1000;
  EXPECT_DOUBLE_EQ(replay(jobs, limits, cost).span_seconds, 10);
  limits.runs_at_once = 2;
  EXPECT_DOUBLE_EQ(replay(jobs, limits, cost).span_seconds, 8);
  limits.budget_bytes = 150;
  EXPECT_DOUBLE_EQ(replay(jobs, limits, cost).span_seconds, 10);
}

TEST(ServiceReplay, EncodesAPromptOnceAsLongAsItIsCached) {
  auto cost = [](int, int64_t) {
    RunCost run;
    run.encode_seconds = 1;
    run.conditioning_bytes = 10;
    return run;
  };
  std::vector<ReplayJob> jobs = {job(0, "a"), job(5, "b")};
  jobs[1].prompt = "a";
  ReplayLimits limits;
  EXPECT_DOUBLE_EQ(replay(jobs, limits, cost).mean_seconds, 1);
  limits.conditioning_bytes = 10;
  EXPECT_DOUBLE_EQ(replay(jobs, limits, cost).mean_seconds, 0.5);
}

TEST(ServiceReplay, CountsWhatDoesNotFit) {
  const auto cost = [](int shape, int64_t) {
    RunCost run;
    run.fits = shape == 0;
    run.compute_seconds = 1;
    return run;
  };
  const ReplayFigures figures = replay({job(0, "a", 0), job(1, "b", 1)}, {}, cost);
  EXPECT_EQ(figures.failed, 1);
  EXPECT_LT(figures.job_seconds[1], 0);
  EXPECT_DOUBLE_EQ(figures.mean_seconds, 1);
}

}  // namespace
}  // namespace snug
