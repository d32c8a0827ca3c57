// Threads that want the same thing at once: one gets it, and the others are told.
#include <atomic>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "jobs/job_store.h"
#include "jobs/store_fixture.h"

namespace snug {
namespace {

constexpr int kThreads = 4;
constexpr int64_t kManyJobs = 1'000'000;

class JobRaces : public StoreTest {
 protected:
  JobRaces() : store_(database()) {}

  // Half of the threads use a Database of their own, as another process would.
  void on_threads(const std::function<void(JobStore&, int)>& work) {
    Database second(options());
    JobStore elsewhere(second);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { work(i % 2 == 0 ? store_ : elsewhere, i); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  JobStore store_;
};

INSTANTIATE_TEST_SUITE_P(Databases, JobRaces, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(JobRaces, OneKeyIsOneJob) {
  constexpr int kKeys = 10;
  std::atomic<int> added = 0;
  on_threads([&](JobStore& store, int) {
    for (int key = 0; key < kKeys; ++key) {
      NewJob job = new_job("o");
      job.job.idempotency_key = std::to_string(key);
      if (!store.add(job, kManyJobs).was_there) ++added;
    }
  });
  EXPECT_EQ(added, kKeys);
  EXPECT_EQ(store_.counts().at(JobState::kQueued), kKeys);
}

TEST_P(JobRaces, TheQueueIsNeverLongerThanItMayBe) {
  constexpr int64_t kMost = 7;
  std::atomic<int> refused = 0;
  on_threads([&](JobStore& store, int) {
    for (int i = 0; i < 5; ++i) {
      try {
        store.add(new_job("o"), kMost);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kQueueFull);
        ++refused;
      }
    }
  });
  EXPECT_EQ(store_.counts().at(JobState::kQueued), kMost);
  EXPECT_EQ(refused, kThreads * 5 - kMost);
}

TEST_P(JobRaces, ReservationsNeverExceedTheBudgetTogether) {
  constexpr int64_t kBudget = 100, kBytes = 30;
  for (int i = 0; i < 12; ++i) store_.add(new_job("o"), kManyJobs);
  std::atomic<int> reserved = 0;
  on_threads([&](JobStore& store, int) {
    for (const Job& job : store.next(12).ready) {
      if (store.reserve(job.id, {kBytes, 1, 1}, kBytes, kBudget) == Reservation::kReserved) ++reserved;
      EXPECT_LE(store.queue_figures(kBudget).reserved_bytes, kBudget);
    }
  });
  EXPECT_EQ(reserved, 3);
  EXPECT_EQ(store_.queue_figures(kBudget).reserved_bytes, 3 * kBytes);
}

TEST_P(JobRaces, AJobIsTakenByOneOrCancelledAndNeverBoth) {
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) ids.push_back(store_.add(new_job("o"), kManyJobs).job.id);
  std::atomic<int> taken = 0, cancelled = 0;
  on_threads([&](JobStore& store, int thread) {
    for (const std::string& id : ids) {
      if (thread == 0) {
        if (store.request_cancel(id).state == JobState::kCancelled) ++cancelled;
      } else if (store.reserve(id, {1, 1, 1}, 1, kManyJobs) == Reservation::kReserved) {
        ++taken;
      }
    }
  });
  EXPECT_EQ(taken + cancelled, 12);
  EXPECT_EQ(store_.counts()[JobState::kCancelled], cancelled);
  EXPECT_EQ(store_.counts()[JobState::kPlanned], taken);
}

TEST_P(JobRaces, ReadersSeeWholeStates) {
  std::atomic<bool> stop = false;
  on_threads([&](JobStore& store, int thread) {
    if (thread == 0) {
      for (int i = 0; i < 20; ++i) {
        const std::string id = store.add(new_job("o"), kManyJobs).job.id;
        store.reserve(id, {1, 1, 1}, 1, kManyJobs);
        store.begin(id);
        store.finish(id, {{picture_of("a"), picture_of("b")}, "{}", 1});
      }
      stop = true;
    }
    while (!stop) {
      for (const Job& job : store.list({})) {
        EXPECT_EQ(job.pictures.size(), job.state == JobState::kDone ? 2u : 0u);
        EXPECT_EQ(job.report.empty(), job.state != JobState::kDone);
      }
    }
  });
}

}  // namespace
}  // namespace snug
