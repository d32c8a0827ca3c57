// What is spilled comes back, no file is left behind, and a disk without room is an error before any work.
#include "runtime/scratch_file.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

class ScratchFileTest : public ::testing::Test {
 protected:
  ScratchFileTest() {
    std::string pattern = (fs::temp_directory_path() / "snug-scratch-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
  }
  ~ScratchFileTest() override { fs::remove_all(folder_); }

  static std::vector<std::byte> random_bytes(size_t count) {
    std::mt19937 random(static_cast<uint32_t>(count));
    std::vector<std::byte> bytes(count);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
  }
  static Error error_of(const std::string& folder, uint64_t bytes) {
    try {
      const ScratchFile file(folder, bytes);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "made it";
    return {ErrorCode::kInternal, "none"};
  }

  std::string folder_;
  Cancellation cancellation_;
};

TEST_F(ScratchFileTest, GivesBackWhatWasWrittenAndHasNoName) {
  const std::vector<std::byte> first = random_bytes(9'000'001), second = random_bytes(4096);
  ScratchFile file(folder_, first.size() + second.size());
  EXPECT_TRUE(fs::is_empty(folder_));
  file.write(0, first, cancellation_);
  file.write(first.size(), second, cancellation_);
  std::vector<std::byte> back(second.size());
  file.read(first.size(), back, cancellation_);
  EXPECT_EQ(back, second);
  back.resize(first.size());
  file.read(0, back, cancellation_);
  EXPECT_EQ(back, first);
  file.write(100, second, cancellation_);  // over what was there
  back.resize(second.size());
  file.read(100, back, cancellation_);
  EXPECT_EQ(back, second);
}

TEST_F(ScratchFileTest, OfNoBytesNeedsNoFolder) {
  const ScratchFile file("/nowhere/at/all", 0);
  EXPECT_EQ(file.bytes(), 0u);
}

TEST_F(ScratchFileTest, WithoutRoomIsRefusedAtOnce) {
  // A limit on file sizes is met as a full disk is, and needs no disk to fill.
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 64 * 1024;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Error error = error_of(folder_, 1 << 20);
  EXPECT_NO_THROW(ScratchFile(folder_, 1000));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::kDiskFull);
  EXPECT_EQ(error.file(), folder_);
  EXPECT_NE(error.fix(), "");
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(ScratchFileTest, LargerThanAnyDiskIsRefused) {
  for (const uint64_t bytes : {uint64_t{1} << 55, uint64_t{INT64_MAX}, UINT64_MAX}) {
    EXPECT_EQ(error_of(folder_, bytes).code(), ErrorCode::kDiskFull) << bytes;
  }
}

TEST_F(ScratchFileTest, WithoutAFolderIsAnErrorThatNamesIt) {
  const Error error = error_of(folder_ + "/absent", 100);
  EXPECT_EQ(error.code(), ErrorCode::kIoError);
  EXPECT_EQ(error.file(), folder_ + "/absent");
  EXPECT_NE(error.fix(), "");
}

TEST_F(ScratchFileTest, StopsBetweenPiecesWhenCancelled) {
  ScratchFile file(folder_, 100);
  cancellation_.request();
  std::vector<std::byte> bytes(100);
  EXPECT_THROW(file.write(0, bytes, cancellation_), Error);
  EXPECT_THROW(file.read(0, bytes, cancellation_), Error);
}

TEST(ScratchFolder, IsWhereTmpdirSays) {
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TMPDIR", "/somewhere", 1);
  EXPECT_EQ(default_scratch_folder(), "/somewhere");
  ::setenv("TMPDIR", "", 1);
  EXPECT_EQ(default_scratch_folder(), "/var/tmp");
  ::unsetenv("TMPDIR");
  EXPECT_EQ(default_scratch_folder(), "/var/tmp");
  if (before != nullptr) ::setenv("TMPDIR", kept.c_str(), 1);
}

}  // namespace
}  // namespace snug
