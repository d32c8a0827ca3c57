// What goes wrong around the service: a disk that takes nothing, a database that another program holds, a
// checkpoint that is torn, a picture that is gone. Jobs wait or fail with their reason, and the service
// lives.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "jobs/failed_job.h"
#include "jobs/service_fixture.h"
#include "pipeline/generate.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

class ServiceFaults : public ServiceTest {
 protected:
  // Nothing can be written there, whoever asks.
  void break_blobs() {
    fs::rename(folder_.path("data/blobs"), folder_.path("data/away"));
    std::ofstream(folder_.path("data/blobs")) << "not a folder";
  }
  void mend_blobs() {
    fs::remove(folder_.path("data/blobs"));
    fs::rename(folder_.path("data/away"), folder_.path("data/blobs"));
  }
  void wait_for_step(const std::string& id, int step) {
    const Stopwatch watch;
    while (service_->job(id, "").step < step && watch.seconds() < 30)
      std::this_thread::sleep_for(milliseconds(2));
  }
};

TEST_F(ServiceFaults, APictureThatTheDiskDoesNotTakeWaitsUntilItDoes) {
  start();
  const Submission asked = submission("a castle", 1);
  break_blobs();
  const Job job = service_->submit(asked);
  wait_for_step(job.id, 3);
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(service_->job(job.id, "").state, JobState::kRunning);
  EXPECT_EQ(service_->jobs({}).size(), 1U) << "the service answers";
  mend_blobs();
  const Job done = wait(job.id);
  ASSERT_EQ(done.state, JobState::kDone);
  EXPECT_EQ(picture(done), generate(asked.fields, {}).pictures.front());
}

TEST_F(ServiceFaults, AServiceThatStopsWhileTheDiskTakesNothingMakesThePictureLater) {
  start();
  break_blobs();
  const Job job = service_->submit(submission("a castle", 1));
  wait_for_step(job.id, 3);
  const Stopwatch watch;
  stop();
  EXPECT_LT(watch.seconds(), 10);
  mend_blobs();
  start();
  EXPECT_EQ(wait(job.id).state, JobState::kDone);
}

TEST_F(ServiceFaults, ARunGoesOnWhileAnotherProgramHoldsTheDatabase) {
  start();
  const Submission asked = submission("a castle", 1, 30);
  const Job job = service_->submit(asked);
  wait_for_step(job.id, 3);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(folder_.path("snug.sqlite").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_busy_timeout(other, 5000), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  std::this_thread::sleep_for(milliseconds(800));
  EXPECT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  const Job done = wait(job.id);
  ASSERT_EQ(done.state, JobState::kDone);
  EXPECT_EQ(picture(done), generate(asked.fields, {}).pictures.front());
}

TEST_F(ServiceFaults, AJobWithATornCheckpointBeginsAnewWithTheSameBits) {
  start();
  const Submission asked = submission("a castle", 9, 200);
  const Job job = service_->submit(asked);
  wait_for_step(job.id, 20);
  stop();
  int torn = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path("data/blobs"))) {
    if (!entry.is_regular_file()) continue;
    fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
    ++torn;
  }
  EXPECT_GE(torn, 1) << "a checkpoint was written when the service stopped";
  start();
  const Job done = wait(job.id);
  ASSERT_EQ(done.state, JobState::kDone);
  EXPECT_EQ(picture(done), generate(asked.fields, {}).pictures.front());
}

TEST_F(ServiceFaults, ACachedPictureWhoseFileIsGoneIsSaidToBeGone) {
  start();
  const Job done = wait(service_->submit(submission("a castle", 1)).id);
  fs::remove_all(folder_.path("data/blobs"));
  fs::create_directory(folder_.path("data/blobs"));
  EXPECT_THROW(picture(done), Error);
  EXPECT_EQ(wait(service_->submit(submission("a boat", 2)).id).state, JobState::kDone);
}

class FailedJob : public StoreTest {
 protected:
  void fail(JobStore& jobs, const std::string& id, ErrorCode code) {
    ServiceOptions options;
    BlobStore blobs(folder_.path("blobs"));
    CacheStore caches(database(), {{"results", {}}});
    ConditioningCache conditioning{{}};
    JobPreparer preparer(options, blobs);
    Admission admission(options);
    EventHub events;
    PreviewMaker previews{""};
    DecodeFolders decodings(folder_.path("decoding"));
    StopSignal stop;
    end_failed({options, jobs, blobs, caches, conditioning, preparer, admission, events, previews, decodings},
               stop, jobs.get(id), Error(code, "it failed", "try"), 1);
  }
  // Running, for the `attempt`th time.
  static void begin(JobStore& jobs, const std::string& id) {
    ASSERT_EQ(jobs.reserve(id, {1, 1, 1}, 1, 100), Reservation::kReserved);
    ASSERT_TRUE(jobs.begin(id).has_value());
  }
};

INSTANTIATE_TEST_SUITE_P(Databases, FailedJob, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(FailedJob, IsTriedAgainLaterWhileThatMayHelpAndThenFailsWithItsReason) {
  JobStore jobs(database());
  const std::string id = jobs.add(new_job("o"), 10).job.id;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    begin(jobs, id);
    fail(jobs, id, ErrorCode::kIoError);
    const Job job = jobs.get(id);
    ASSERT_TRUE(job.failure.has_value());
    EXPECT_EQ(job.failure->problem, "it failed");
    EXPECT_EQ(job.state, attempt < 3 ? JobState::kQueued : JobState::kFailed) << attempt;
    if (attempt < 3) {
      EXPECT_TRUE(job.not_before_ms.has_value());
    }
  }
}

TEST_P(FailedJob, IsNotTriedAgainWhenThatCannotHelp) {
  JobStore jobs(database());
  const std::string id = jobs.add(new_job("o"), 10).job.id;
  begin(jobs, id);
  fail(jobs, id, ErrorCode::kInvalidArgument);
  EXPECT_EQ(jobs.get(id).state, JobState::kFailed);
}

TEST_P(FailedJob, ThatFitWhenItWasAcceptedMayFitAgain) {
  JobStore jobs(database());
  const std::string id = jobs.add(new_job("o"), 10).job.id;
  begin(jobs, id);
  fail(jobs, id, ErrorCode::kOverBudget);
  EXPECT_EQ(jobs.get(id).state, JobState::kQueued);
}

}  // namespace
}  // namespace snug
