#include "jobs/blob_store.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "jobs/secret.h"
#include "jobs/store_fixture.h"
#include "media/picture_bytes.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

class BlobStoreTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const {
    return folder_.path("blobs/" + name.substr(0, 2) + "/" + name);
  }
  int64_t files() const {
    int64_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path("blobs"))) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }
  // As if it had been put that long ago.
  static void make_older(const std::string& path, int seconds) {
    timespec times[2] = {};
    ::clock_gettime(CLOCK_REALTIME, times);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  TemporaryFolder folder_;
  BlobStore store_{folder_.path("blobs")};
};

TEST_F(BlobStoreTest, WhatIsPutComesBackUnderItsDigest) {
  const std::string name = store_.put(as_bytes("contents"));
  EXPECT_EQ(name, sha256_hex("contents"));
  EXPECT_EQ(as_text(store_.get(name)), "contents");
  EXPECT_TRUE(store_.get(store_.put({})).empty());
  EXPECT_EQ(as_text(BlobStore(folder_.path("blobs")).get(name)), "contents") << "after a restart";
}

TEST_F(BlobStoreTest, TheSameContentsAreOneFileWrittenOnce) {
  const std::string name = store_.put(as_bytes("contents"));
  struct stat before = {}, after = {};
  ASSERT_EQ(::stat(file(name).c_str(), &before), 0);
  EXPECT_EQ(store_.put(as_bytes("contents")), name);
  ASSERT_EQ(::stat(file(name).c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(files(), 1);
}

TEST_F(BlobStoreTest, ATornOrAlteredFileIsReportedAndMendedByTheNextPut) {
  const std::string name = store_.put(as_bytes("contents"));
  for (const char* damage : {"conte", "contentz", "contents and more", ""}) {
    std::ofstream(file(name), std::ios::trunc) << damage;
    const Error error = error_of([&] { store_.get(name); });
    EXPECT_EQ(error.code(), ErrorCode::kCorruptFile) << damage;
    store_.put(as_bytes("contents"));
    EXPECT_EQ(as_text(store_.get(name)), "contents") << damage;
  }
}

TEST_F(BlobStoreTest, NoTextBecomesAPath) {
  std::ofstream(folder_.path("secret")) << "secret";
  const std::string name = store_.put(as_bytes("contents"));
  std::string upper = name;
  upper[63] = 'A';
  for (const std::string& bad :
       {std::string(), std::string("../secret"), name + "0", name.substr(1), upper, "../" + name.substr(3),
        name.substr(0, 63) + "/", name.substr(0, 63) + std::string(1, '\0')}) {
    EXPECT_FALSE(is_blob_name(bad));
    EXPECT_EQ(error_of([&] { store_.get(bad); }).code(), ErrorCode::kNotFound) << bad;
    EXPECT_EQ(error_of([&] { store_.remove(bad); }).code(), ErrorCode::kNotFound) << bad;
  }
  EXPECT_TRUE(fs::exists(folder_.path("secret")));
}

TEST_F(BlobStoreTest, ALinkInTheFolderIsNotFollowed) {
  const std::string name = store_.put(as_bytes("contents"));
  fs::rename(file(name), folder_.path("elsewhere"));
  fs::create_symlink(folder_.path("elsewhere"), file(name));
  EXPECT_EQ(error_of([&] { store_.get(name); }).code(), ErrorCode::kIoError);
}

TEST_F(BlobStoreTest, RemovedIsGone) {
  const std::string name = store_.put(as_bytes("contents"));
  store_.remove(name);
  EXPECT_EQ(error_of([&] { store_.get(name); }).code(), ErrorCode::kNotFound);
  EXPECT_NO_THROW(store_.remove(name));
}

TEST_F(BlobStoreTest, AFullDiskIsToldAndLeavesNothing) {
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {1024, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::vector<std::byte> large(4096);
  const Error error = error_of([&] { store_.put(large); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::kDiskFull);
  EXPECT_EQ(files(), 0);
  EXPECT_EQ(store_.get(store_.put(large)).size(), large.size()) << "with space again";
}

TEST_F(BlobStoreTest, TheSweepTakesWhatIsOldAndUnusedAndWhatWritersLeft) {
  const std::string used = store_.put(as_bytes("used")), unused = store_.put(as_bytes("unused")),
                    young = store_.put(as_bytes("young")), again = store_.put(as_bytes("again"));
  const std::string left_over = folder_.path("blobs/") + used.substr(0, 2) + "/.snug-1-0.tmp",
                    foreign = folder_.path("blobs/README");
  std::ofstream(left_over) << "half";
  std::ofstream(foreign) << "not ours";
  for (const std::string& path : {file(used), file(unused), file(again), left_over, foreign}) {
    make_older(path, 100);
  }
  store_.put(as_bytes("again"));  // somebody is about to use it
  const Swept swept = store_.sweep({used}, 60);
  EXPECT_EQ(swept.blobs, 2);
  EXPECT_EQ(swept.bytes, 6 + 4);
  EXPECT_FALSE(fs::exists(file(unused)) || fs::exists(left_over));
  for (const std::string& path : {file(used), file(young), file(again), foreign}) {
    EXPECT_TRUE(fs::exists(path)) << path;
  }
}

TEST_F(BlobStoreTest, ThreadsPutAndSweepTogether) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 20; ++k) {
        const std::string contents = std::to_string(k % 10);
        EXPECT_EQ(as_text(store_.get(store_.put(as_bytes(contents)))), contents) << i;
      }
    });
  }
  for (int k = 0; k < 5; ++k) store_.sweep({}, 60);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(files(), 10);
}

}  // namespace
}  // namespace snug
