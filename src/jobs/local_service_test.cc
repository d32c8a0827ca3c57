// The whole service but for HTTP: what is accepted is made, with the bytes that the command line's path
// gives; equal requests are made once; a job that is cancelled ends at once; a service that stops goes on
// later.
#include "jobs/local_service.h"

#include <set>

#include <nlohmann/json.hpp>

#include "jobs/service_fixture.h"
#include "media/decode_picture.h"
#include "pipeline/fit_request.h"
#include "pipeline/generate.h"

namespace snug {
namespace {

using LocalService = ServiceTest;

TEST_F(LocalService, MakesThePicturesThatTheRequestMakesAlone) {
  start();
  Submission asked = submission("a castle", 4);
  asked.fields.batch = 2;
  const Job job = wait(service_->submit(asked).id);
  ASSERT_EQ(job.state, JobState::kDone) << (job.failure ? job.failure->problem : "");
  const auto expected = generate(asked.fields, {}).pictures;
  ASSERT_EQ(job.pictures.size(), 2U);
  EXPECT_EQ(picture(job, 0), expected[0]);
  EXPECT_EQ(picture(job, 1), expected[1]);
  EXPECT_EQ(job.pictures[1].seed, 5U);
  EXPECT_THROW(picture(job, 2), Error);
}

TEST_F(LocalService, JobsThatWaitTogetherRunTogetherWithTheBitsOfEachAlone) {
  start();
  const Job first = service_->submit(submission("first, to keep the engine busy", 1, 30));
  std::vector<Submission> asked;
  std::vector<std::string> ids;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    asked.push_back(submission(seed % 2 == 0 ? "a castle" : "a red sailboat", seed));
    ids.push_back(service_->submit(asked.back()).id);
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const Job job = wait(ids[i]);
    ASSERT_EQ(job.state, JobState::kDone);
    EXPECT_EQ(picture(job), generate(asked[i].fields, {}).pictures.front()) << i;
  }
  EXPECT_EQ(wait(first.id).state, JobState::kDone);
}

TEST_F(LocalService, OnePictureOfABatchIsMadeAlone) {
  start();
  Submission asked = submission("a castle", 4);
  asked.fields.batch = 3;
  asked.fields.only_index = 2;
  const Job job = wait(service_->submit(asked).id);
  ASSERT_EQ(job.state, JobState::kDone);
  ASSERT_EQ(job.pictures.size(), 1U);
  EXPECT_EQ(job.pictures_asked, 1);
  EXPECT_EQ(job.pictures[0].seed, 6U);
  EXPECT_EQ(picture(job), generate(asked.fields, {}).pictures.front());
  EXPECT_EQ(service_->submit(asked).state, JobState::kDone) << "the cache knows it";
}

TEST_F(LocalService, TheSameRequestAgainIsDoneAtOnceWithTheSameBytes) {
  start();
  const Job made = wait(service_->submit(submission("a castle", 4)).id);
  const Job again = service_->submit(submission("a castle", 4));
  EXPECT_EQ(again.state, JobState::kDone);
  EXPECT_TRUE(again.from_cache);
  EXPECT_NE(again.id, made.id);
  EXPECT_EQ(picture(again), picture(made));
  EXPECT_EQ(service_->submit(submission("a castle", 5)).state, JobState::kQueued);
  const CacheFigures results = service_->cache_figures().front();
  EXPECT_EQ(results.kind, "results");
  EXPECT_EQ(results.hits, 1);
  EXPECT_EQ(results.misses, 2);
}

TEST_F(LocalService, EqualRequestsThatWaitTogetherAreMadeOnce) {
  start();
  service_->submit(submission("first, to keep the engine busy", 1, 30));
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(service_->submit(submission("a castle", 4)).id);
  int attempts = 0;
  std::vector<std::vector<std::byte>> pictures;
  for (const std::string& id : ids) {
    const Job job = wait(id);
    ASSERT_EQ(job.state, JobState::kDone);
    attempts += job.report.empty() ? 0 : 1;
    pictures.push_back(picture(job));
    EXPECT_EQ(pictures.back(), pictures.front());
  }
  EXPECT_EQ(attempts, 1) << "reports of runs";
}

TEST_F(LocalService, AQueuedAndARunningJobAreCancelledAtOnce) {
  start();
  const Job running = service_->submit(submission("a castle", 1, 500));
  const Job queued = service_->submit(submission("a castle", 2, 400));
  ASSERT_EQ(wait(running.id, JobState::kRunning).state, JobState::kRunning);
  for (const std::string& id : {queued.id, running.id}) {
    const Stopwatch watch;
    EXPECT_EQ(service_->cancel(id, "").state, JobState::kCancelled);
    EXPECT_LT(watch.seconds(), 0.2);
  }
  // The engine is free again.
  EXPECT_EQ(wait(service_->submit(submission("a boat", 3)).id).state, JobState::kDone);
}

TEST_F(LocalService, AStoppedServiceGoesOnFromTheCheckpointWithTheSameBits) {
  start();
  const Submission asked = submission("a castle", 9, 300);
  const Job job = service_->submit(asked);
  const Stopwatch watch;
  while (service_->job(job.id, "").step < 20 && watch.seconds() < 30)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  stop();
  start();
  const Job found = service_->job(job.id, "");
  EXPECT_GE(found.checkpoint_step, 20) << "it was written down when the service stopped";
  const Job done = wait(job.id);
  ASSERT_EQ(done.state, JobState::kDone);
  EXPECT_EQ(picture(done), generate(asked.fields, {}).pictures.front());
}

// Most that were running at one time, until all of them had ended.
int most_at_once(const std::vector<JobEvent>& events) {
  std::set<std::string> running;
  size_t most = 0;
  for (const JobEvent& event : events) {
    if (event.job.state == JobState::kRunning) running.insert(event.job.id);
    if (event.job.state != JobState::kRunning) running.erase(event.job.id);
    most = std::max(most, running.size());
  }
  return static_cast<int>(most);
}

TEST_F(LocalService, RunsOfDifferentShapesAreUnderWayTogetherAndTheOlderIsHardlyHeldUp) {
  start();
  Events events(*service_);
  const Submission older = submission("a castle", 1, 200);
  Submission younger = submission("a boat", 2, 200);
  younger.fields.width = 96;
  const std::string first = service_->submit(older).id, second = service_->submit(younger).id;
  ASSERT_EQ(wait(first).state, JobState::kDone);
  EXPECT_LT(service_->job(second, "").step, 100) << "the older one has the cores when it wants them";
  ASSERT_EQ(wait(second).state, JobState::kDone);
  EXPECT_EQ(most_at_once(events.seen()), 2);
  EXPECT_EQ(picture(service_->job(first, "")), generate(older.fields, {}).pictures.front());
  EXPECT_EQ(picture(service_->job(second, "")), generate(younger.fields, {}).pictures.front());
}

TEST_F(LocalService, NoRunBeginsBesideAnotherThatLeavesNoRoom) {
  start();
  const Submission one = submission("a castle", 1, 30);
  Submission other = submission("a boat", 2, 30);
  other.fields.width = 96;
  const auto peak = static_cast<uint64_t>(*service_->job(service_->submit(one).id, "").planned_peak_bytes);
  stop();
  options_.memory_bytes = peak + peak / 2;
  options_.most_batch = 1;
  start();
  Events events(*service_);
  std::vector<std::string> ids;
  for (uint64_t seed = 3; seed < 6; ++seed) {
    Submission again = seed % 2 == 0 ? one : other;
    again.fields.seed = seed;
    ids.push_back(service_->submit(again).id);
  }
  for (const std::string& id : ids) EXPECT_EQ(wait(id).state, JobState::kDone);
  EXPECT_EQ(most_at_once(events.seen()), 1);
}

TEST_F(LocalService, MemoryIsTakenUntilARunHasEndedWhoeverOfItsJobsIsCancelled) {
  start();
  Submission small = submission("a castle", 1, 400);
  Submission large = submission("a boat", 9, 3);
  large.fields.width = large.fields.height = 160;
  small.fields.batch = 2;
  const auto peak_of = [&](const Submission& asked) {
    return nlohmann::json::parse(service_->plan(asked)).at("peak_bytes").get<uint64_t>();
  };
  const uint64_t small_peak = peak_of(small), large_peak = peak_of(large);
  stop();
  options_.memory_bytes = std::max(small_peak, large_peak) + std::min(small_peak, large_peak) / 2;
  start();
  small.fields.batch = 1;
  // Two that run together: the second comes while the first keeps the engine busy.
  const Job busy = service_->submit(submission("to keep the engine busy", 3, 60));
  const Job first = service_->submit(small);
  small.fields.seed = 2;
  const Job second = service_->submit(small);
  ASSERT_EQ(wait(second.id, JobState::kRunning).state, JobState::kRunning);
  ASSERT_EQ(wait(first.id, JobState::kRunning).state, JobState::kRunning);
  const Job waits = service_->submit(large);
  service_->cancel(first.id, "");
  // Longer than a lane waits before it looks again.
  const Stopwatch watch;
  while (watch.seconds() < 1.5 && service_->job(second.id, "").state == JobState::kRunning) {
    const JobState state = service_->job(waits.id, "").state;
    if (service_->job(second.id, "").state != JobState::kRunning) break;
    ASSERT_EQ(state, JobState::kQueued);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(wait(waits.id).state, JobState::kDone);
  EXPECT_EQ(wait(second.id).state, JobState::kDone);
}

TEST_F(LocalService, AJobThatWaitsForTheCoresIsCancelledAtOnce) {
  start();
  const Job older = service_->submit(submission("a castle", 1, 400));
  Submission asked = submission("a boat", 2, 400);
  asked.fields.width = 96;
  const Job younger = service_->submit(asked);
  ASSERT_EQ(wait(younger.id, JobState::kRunning).state, JobState::kRunning);
  const Stopwatch watch;
  EXPECT_EQ(service_->cancel(younger.id, "").state, JobState::kCancelled);
  EXPECT_LT(watch.seconds(), 0.2);
  EXPECT_EQ(wait(older.id).state, JobState::kDone);
}

TEST_F(LocalService, WhatCanNeverFitIsRefusedAtTheDoorWithTheWaysOut) {
  start();
  Submission asked = submission("a castle", 1);
  asked.fields.memory = "20MiB";
  try {
    service_->submit(asked);
    FAIL();
  } catch (const OverBudget& refusal) {
    EXPECT_FALSE(refusal.ways.empty());
  }
  EXPECT_TRUE(service_->jobs({}).empty());
}

TEST_F(LocalService, ATimeBecomesQualityAndThePlanSaysWhatIsPromised) {
  start();
  Submission asked;
  asked.fields.prompt = "a castle";
  asked.time_seconds = 100;
  const auto plan = nlohmann::json::parse(service_->plan(asked));
  EXPECT_EQ(plan.at("time").at("asked_seconds"), 100);
  EXPECT_LE(plan.at("time").at("promised_seconds"), 100);
  EXPECT_LE(plan.at("time").at("predicted_seconds"), plan.at("time").at("promised_seconds"));
  EXPECT_GE(plan.at("time").at("prediction_error").at("most_ratio"),
            plan.at("time").at("prediction_error").at("median_ratio"));
  asked.time_seconds = 0.001;
  EXPECT_THROW(service_->plan(asked), Error);
  EXPECT_FALSE(nlohmann::json::parse(service_->plan(submission("a castle", 1))).contains("time"));
}

TEST_F(LocalService, AnIdempotencyKeyGivesTheSameJobAndNeverAnother) {
  start();
  Submission asked = submission("a castle", 1);
  asked.fields.seed.reset();
  asked.idempotency_key = "key";
  const Job first = service_->submit(asked);
  EXPECT_EQ(service_->submit(asked).id, first.id);
  asked.fields.prompt = "a boat";
  EXPECT_THROW(service_->submit(asked), Error);
}

TEST_F(LocalService, PreviewsComeOnlyToJobsThatWantThem) {
  start();
  Events events(*service_);
  Submission wants = submission("a castle", 1, 60);
  wants.previews = true;
  const std::string with = service_->submit(wants).id;
  const std::string without = service_->submit(submission("a boat", 2, 60)).id;
  wait(with);
  wait(without);
  int previews = 0;
  for (const JobEvent& event : events.seen()) {
    if (event.preview == nullptr) continue;
    EXPECT_EQ(event.job.id, with);
    EXPECT_GT(decode_picture(*view_memory("preview", *event.preview)).width, 0);
    ++previews;
  }
  EXPECT_GT(previews, 0);
}

TEST_F(LocalService, EventsTellTheStatesInTheirOrder) {
  start();
  std::mutex mutex;
  std::vector<JobState> states;
  std::vector<int> steps;
  const auto subscription = service_->subscribe("", "", [&](const JobEvent& event) {
    const std::scoped_lock lock(mutex);
    if (states.empty() || states.back() != event.job.state) states.push_back(event.job.state);
    if (event.job.state == JobState::kRunning) steps.push_back(event.job.step);
  });
  wait(service_->submit(submission("a castle", 1)).id);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(states, (std::vector<JobState>{JobState::kQueued, JobState::kRunning, JobState::kDone}));
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(steps.back(), 3);
}

TEST_F(LocalService, ABrokenUploadIsRefused) {
  start();
  EXPECT_THROW(service_->upload({std::byte{1}, std::byte{2}}, ""), Error);
}

}  // namespace
}  // namespace snug
