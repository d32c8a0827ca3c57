// Gaps and errors of jobs that have been; reading them is in adviser_test.cc.

#include "monitor/advice/past_jobs.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "monitor/advice/action.h"
#include "monitor/advice/past_errors.h"

namespace snug {
namespace {

PastJob job(int64_t created_ms, int64_t finished_ms, int period) {
  PastJob job;
  job.record.created_ms = created_ms;
  job.record.finished_ms = finished_ms;
  job.record.total_seconds = static_cast<double>(finished_ms - created_ms) / 1e3;
  job.record.state = "done";
  job.period = period;
  return job;
}

TEST(PastJobs, CloseUpOverIdleTimeAndKeepTheGapsInsideAPeriod) {
  const std::vector<PastJob> jobs = without_idle_time(
      {job(1000, 3000, 0), job(1500, 4000, 0), job(60'000, 61'000, 1), job(90'000, 90'500, 2)});
  ASSERT_EQ(jobs.size(), 4u);
  EXPECT_DOUBLE_EQ(jobs[0].arrival_seconds, 0);
  EXPECT_DOUBLE_EQ(jobs[1].arrival_seconds, 0.5);
  EXPECT_DOUBLE_EQ(jobs[2].arrival_seconds, 3);
  EXPECT_DOUBLE_EQ(jobs[3].arrival_seconds, 4);
}

TEST(PastJobs, AreSampledInWholePeriodsFromTheNewest) {
  const std::vector<PastJob> jobs = {job(0, 2000, 0), job(10'000, 12'000, 1), job(10'500, 12'500, 1),
                                     job(20'000, 21'000, 2)};
  EXPECT_EQ(newest_within(jobs, 100).size(), 4u);
  EXPECT_EQ(newest_within(jobs, 5.5).size(), 3u);
  EXPECT_EQ(newest_within(jobs, 4).size(), 1u);  // not half of a period
  EXPECT_EQ(newest_within(jobs, 0.1).size(), 1u);
}

TEST(PastErrors, AreRatiosOfKernelsAndOfWaitingApart) {
  PastJob fresh = job(0, 1000, 0);
  fresh.record.detail =
      R"({"phases":[{"predicted_seconds":1.0,"seconds":2.1,"predicted_waiting_seconds":0.2,"waiting_seconds":0.5},)"
      R"({"predicted_seconds":9.0,"seconds":0.0,"predicted_waiting_seconds":0.0,"waiting_seconds":0.0}]})";
  PastJob kept = fresh;
  kept.record.kept = true;
  PastJob cached = job(0, 20, 0);
  cached.record.cached = true;
  PastJob broken = job(0, 1000, 0);
  broken.record.detail = "{";
  const PastErrors errors = past_errors({fresh, kept, cached, broken}, 2);
  EXPECT_EQ(errors.runs, 2);
  EXPECT_DOUBLE_EQ(errors.kernel_ratio(), 2);
  EXPECT_EQ(errors.waiting_ratios.size(), 1u);  // what found its weights did not wait for them
  EXPECT_DOUBLE_EQ(errors.waiting_ratio(), 2.5);
  EXPECT_DOUBLE_EQ(errors.cached_seconds, 0.02);
  EXPECT_DOUBLE_EQ(past_errors({}, 2).kernel_ratio(), 1);
}

TEST(Actions, ChangeOneSettingOfEachType) {
  const Configuration plain;
  EXPECT_EQ(with_action(plain, action_on(plain, "threads", "3")).threads, 3);
  EXPECT_TRUE(with_action(plain, action_on(plain, "pin", "true")).pin);
  EXPECT_EQ(with_action(plain, action_on(plain, "memory", "1GiB")).memory, "1GiB");
  EXPECT_EQ(action_on(plain, "most_batch", "1"), (Action{"most_batch", "8", "1"}));
  EXPECT_THROW(action_on(plain, "tthreads", "3"), Error);
  EXPECT_THROW(with_action(plain, {"threads", "0", "three"}), Error);
  EXPECT_THROW(with_action(plain, {"pin", "false", "yes"}), Error);
}

}  // namespace
}  // namespace snug
