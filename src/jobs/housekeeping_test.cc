// What is old goes while the service runs, what is named or young stays; a store that fails once is asked
// again; the end of the service is not kept waiting.
#include "jobs/housekeeping.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <span>
#include <thread>

#include "base/stopwatch.h"
#include "jobs/store_fixture.h"

namespace snug {
namespace {

constexpr int64_t kDayMs = 24 * 3600 * 1000;

class HousekeepingTest : public StoreTest {
 protected:
  HousekeepingTest()
      : jobs_(database()),
        uploads_(database()),
        caches_(database(), {{"results", {1000, 3600.0}}}),
        blobs_(folder_.path("blobs")),
        decodings_(folder_.path("decoding")) {
    options_.interval_seconds = 0.01;
    options_.blob_grace_seconds = 3600;
  }

  std::string old_blob(const std::string& text) {
    const std::string name = blobs_.put(std::as_bytes(std::span(text)));
    const std::string path = folder_.path("blobs") + "/" + name.substr(0, 2) + "/" + name;
    const std::array<timespec, 2> times = {timespec{1'000'000'000, 0}, timespec{1'000'000'000, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
    return name;
  }
  std::string done_job(const std::string& blob) {
    NewJob added = new_job("o");
    added.job.state = JobState::kDone;
    added.job.pictures = {picture_of(blob)};
    return jobs_.add(added, 10).job.id;
  }
  bool found(const std::string& id) {
    try {
      jobs_.get(id);
      return true;
    } catch (const Error&) {
      return false;
    }
  }
  bool has_blob(const std::string& name) {
    try {
      blobs_.get(name);
      return true;
    } catch (const Error&) {
      return false;
    }
  }
  static bool until(const std::function<bool()>& condition) {
    const Stopwatch watch;
    while (!condition()) {
      if (watch.seconds() > 20) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  void start() {
    housekeeping_.emplace(options_,
                          HousekeepingParts{database(), jobs_, uploads_, caches_, blobs_, decodings_});
  }

  HousekeepingOptions options_;
  JobStore jobs_;
  UploadStore uploads_;
  CacheStore caches_;
  BlobStore blobs_;
  DecodeFolders decodings_;
  std::optional<Housekeeping> housekeeping_;
};

INSTANTIATE_TEST_SUITE_P(Databases, HousekeepingTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(HousekeepingTest, WhatIsOldGoesAndWhatIsNamedStays) {
  const std::string unnamed = old_blob("unnamed"), named = old_blob("named"), old = old_blob("old");
  const std::string old_job = done_job(old);
  Upload upload;
  upload.blob = old_blob("upload");
  uploads_.add(upload);
  CacheEntry entry{"address", "{}", {old_blob("cached")}, 6};
  caches_.put("results", entry);
  now_ms_ += 40 * kDayMs;
  const std::string new_job = done_job(named);
  options_.keep_jobs_seconds = 30 * 86400.0;
  options_.keep_uploads_seconds = 30 * 86400.0;
  start();
  EXPECT_TRUE(until([&] { return !has_blob(unnamed); }));
  EXPECT_TRUE(until([&] { return !has_blob(old) && !has_blob(upload.blob) && !has_blob(entry.blobs[0]); }));
  EXPECT_FALSE(found(old_job));
  EXPECT_TRUE(found(new_job));
  EXPECT_TRUE(has_blob(named));
}

TEST_P(HousekeepingTest, WhatIsKeptOfADecodingGoesWithItsJob) {
  namespace fs = std::filesystem;
  const std::string queued = jobs_.add(new_job("o"), 10).job.id, done = done_job("");
  for (const std::string& id : {queued, done, std::string("of-a-job-that-was-forgotten")}) {
    fs::create_directory(decodings_.of(id));
    std::ofstream(decodings_.of(id) + "/frames.rgb") << "frames";
  }
  start();
  EXPECT_TRUE(until([&] {
    return !fs::exists(decodings_.of(done)) && !fs::exists(decodings_.of("of-a-job-that-was-forgotten"));
  }));
  EXPECT_TRUE(fs::exists(decodings_.of(queued) + "/frames.rgb")) << "its job goes on from there";
}

TEST_P(HousekeepingTest, ByDefaultNoJobGoes) {
  const std::string picture = old_blob("picture");
  const std::string job = done_job(picture);
  now_ms_ += 4000 * kDayMs;
  start();
  const std::string unnamed = old_blob("unnamed");
  EXPECT_TRUE(until([&] { return !has_blob(unnamed); }));
  EXPECT_TRUE(found(job));
  EXPECT_TRUE(has_blob(picture));
}

TEST_P(HousekeepingTest, ManyJobsGoInSmallTransactions) {
  for (int i = 0; i < 250; ++i) done_job("");
  now_ms_ += 2 * kDayMs;
  options_.keep_jobs_seconds = 86400;
  start();
  EXPECT_TRUE(until(
      [&] { return !jobs_.counts().contains(JobState::kDone) || jobs_.counts()[JobState::kDone] == 0; }));
}

TEST_P(HousekeepingTest, WhatFailsIsTriedAgain) {
  // A table that is not there stands for any error.
  database().write([](Sql& sql) { sql.run("ALTER TABLE upload RENAME TO gone"); });
  const std::string unnamed = old_blob("unnamed");
  start();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(has_blob(unnamed)) << "removed without knowing what uploads name";
  database().write([](Sql& sql) { sql.run("ALTER TABLE gone RENAME TO upload"); });
  EXPECT_TRUE(until([&] { return !has_blob(unnamed); }));
}

TEST_P(HousekeepingTest, EndsAtOnce) {
  options_.interval_seconds = 3600;
  start();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const Stopwatch watch;
  housekeeping_.reset();
  EXPECT_LT(watch.seconds(), 1);
}

}  // namespace
}  // namespace snug
