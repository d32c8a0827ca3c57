// Whose turn is next, and that what is reserved never exceeds the budget.
#include <gtest/gtest.h>

#include "jobs/job_store.h"
#include "jobs/store_fixture.h"

namespace snug {
namespace {

constexpr int64_t kManyJobs = 1'000'000;
constexpr int64_t kAnyBudget = int64_t{1} << 40;

class JobQueue : public StoreTest {
 protected:
  JobQueue() : store_(database()) {}

  std::string add(const std::string& owner, double seconds = 10, int priority = 0) {
    NewJob added = new_job(owner, priority);
    added.job.planned_seconds = seconds;
    return store_.add(added, kManyJobs).job.id;
  }
  // Owners of the next jobs, a letter each.
  std::string order(int most = 100) {
    std::string owners;
    for (const Job& job : store_.next(most).ready) owners += job.owner;
    return owners;
  }
  void run(const std::string& id, double predicted, double measured) {
    ASSERT_EQ(store_.reserve(id, {1, predicted, 1}, 1, kAnyBudget), Reservation::kReserved);
    ASSERT_TRUE(store_.begin(id));
    ASSERT_TRUE(store_.finish(id, {{}, "{}", measured}));
  }

  JobStore store_;
};

INSTANTIATE_TEST_SUITE_P(Databases, JobQueue, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(JobQueue, PriorityThenLeastUseThenAge) {
  add("a");
  add("b");
  const std::string oldest = add("c");
  add("c");
  run(add("a", 10, 5), 5, 20);
  run(add("b", 10, 5), 5, 5);
  EXPECT_EQ(order().substr(0, 1), "c") << "c has used nothing";
  EXPECT_EQ(store_.next(1).ready.at(0).id, oldest);
  add("a", 10, 1);
  EXPECT_EQ(order(1), "a") << "priority before fairness";
}

TEST_P(JobQueue, OneWithManyJobsDoesNotHoldUpTheOthers) {
  for (int i = 0; i < 6; ++i) add("a");
  add("b");
  add("c");
  add("c");
  EXPECT_EQ(order(), "abcacaaaa");
}

TEST_P(JobQueue, LongJobsCountAsLong) {
  for (int i = 0; i < 2; ++i) add("a", 30);
  for (int i = 0; i < 5; ++i) add("b", 10);
  EXPECT_EQ(order(), "abbbabb");
}

TEST_P(JobQueue, TheFirstOfTheOrderDoesNotDependOnHowManyAreAskedFor) {
  for (int i = 0; i < 9; ++i) add(std::string(1, static_cast<char>('a' + i % 3)), 1 + i, i % 2);
  const std::string all = order();
  ASSERT_EQ(all.size(), 9u);
  for (int most = 1; most < 9; ++most) EXPECT_EQ(order(most), all.substr(0, static_cast<size_t>(most)));
}

TEST_P(JobQueue, WhatIsReservedCountsAsUsedUntilItIsMeasured) {
  const std::string first = add("a", 100);
  add("a", 100);
  add("b", 10);
  add("b", 10);
  run(add("b", 10, 9), 1, 1);
  EXPECT_EQ(order(1), "a");
  ASSERT_EQ(store_.reserve(first, {1, 100, 1}, 1, kAnyBudget), Reservation::kReserved);
  EXPECT_EQ(order(), "bba") << "a's reservation counts";
  store_.put_back(first);
  EXPECT_EQ(order(1), "a") << "and counts no more";
  run(first, 100, 0.25);
  EXPECT_EQ(order(1), "a") << "measured: less than b's second";
}

TEST_P(JobQueue, UseIsForgottenByHalvesAndNewUseWeighsMore) {
  run(add("a"), 1, 100);
  now_ms_ += 3 * kUseHalvingMs;  // 12.5 s are left
  run(add("b"), 1, 20);
  add("a");
  add("b");
  EXPECT_EQ(order(1), "a");
  run(add("a", 1, 1), 1, 10);  // 22.5 s
  EXPECT_EQ(order(1), "b");
}

TEST_P(JobQueue, JobsWaitForTheirTimeAndTheSchedulerIsToldWhen) {
  const std::string id = add("a");
  ASSERT_EQ(store_.reserve(id, {1, 1, 1}, 1, kAnyBudget), Reservation::kReserved);
  store_.retry(id, {"io_error", "p", "f", "s", ""}, 0, kStartMs + 500);
  NewJob later = new_job("b");
  later.job.deadline_ms = kStartMs + 300;
  store_.add(later, kManyJobs);
  EXPECT_EQ(order(), "b");
  EXPECT_EQ(store_.next(1).wake_ms, kStartMs + 300);
  now_ms_ += 299;
  EXPECT_EQ(order(), "b");
  now_ms_ += 1;
  EXPECT_EQ(order(), "") << "b expired";
  EXPECT_EQ(store_.next(1).wake_ms, kStartMs + 500);
  now_ms_ += 200;
  EXPECT_EQ(order(), "a");
  EXPECT_FALSE(store_.next(1).wake_ms);
}

TEST_P(JobQueue, AQueuedJobFailsWithItsDeadlineOnce) {
  NewJob urgent = new_job("a");
  urgent.job.deadline_ms = kStartMs + 100;
  const std::string id = store_.add(urgent, kManyJobs).job.id;
  now_ms_ += 100;
  const NextJobs next = store_.next(5);
  EXPECT_TRUE(next.ready.empty());
  ASSERT_EQ(next.expired.size(), 1u);
  EXPECT_EQ(next.expired[0].id, id);
  const Job job = store_.get(id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.failure->code, "deadline_exceeded");
  EXPECT_EQ(job.finished_ms, kStartMs + 100);
  EXPECT_TRUE(store_.next(5).expired.empty());
}

TEST_P(JobQueue, ADeadlineIsOfTheFirstBeginning) {
  NewJob urgent = new_job("a");
  urgent.job.deadline_ms = kStartMs + 100;
  const std::string begun = store_.add(urgent, kManyJobs).job.id, slow = store_.add(urgent, kManyJobs).job.id;
  for (const std::string& id : {begun, slow}) {
    ASSERT_EQ(store_.reserve(id, {1, 1, 1}, 1, kAnyBudget), Reservation::kReserved);
  }
  store_.begin(begun);
  store_.interrupt(begun, 1);
  now_ms_ += 100;
  EXPECT_EQ(order(), "a") << "one that has begun goes on";
  const Job job = *store_.begin(slow);
  EXPECT_EQ(job.state, JobState::kFailed) << "planned in time, but not begun";
  EXPECT_EQ(job.failure->code, "deadline_exceeded");
  EXPECT_EQ(store_.queue_figures(1).reserved_bytes, 0);
}

TEST_P(JobQueue, ReservationsStayWithinTheBudget) {
  const std::string a = add("a"), b = add("a"), c = add("a");
  EXPECT_EQ(store_.reserve(a, {60, 1, 1}, 60, 100), Reservation::kReserved);
  EXPECT_EQ(store_.reserve(b, {41, 1, 1}, 41, 100), Reservation::kNoRoom);
  EXPECT_EQ(store_.get(b).state, JobState::kQueued);
  EXPECT_EQ(store_.reserve(b, {40, 1, 1}, 40, 100), Reservation::kReserved);
  EXPECT_EQ(store_.reserve(c, {1, 1, 1}, 1, 100), Reservation::kNoRoom);
  EXPECT_EQ(store_.reserve(c, {1, 1, 1}, 0, 50), Reservation::kNoRoom) << "the budget was lowered";
  store_.begin(a);
  EXPECT_EQ(store_.reserve(c, {1, 1, 1}, 1, 100), Reservation::kNoRoom) << "a running job holds its bytes";
  store_.finish(a, {{}, "{}", 1});
  EXPECT_EQ(store_.reserve(c, {60, 1, 1}, 60, 100), Reservation::kReserved);
  EXPECT_EQ(store_.reserve(a, {1, 1, 1}, 1, 100), Reservation::kLost);
}

}  // namespace
}  // namespace snug
