#include "media/atomic_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/picture_bytes.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public ::testing::Test {
 protected:
  AtomicFile() {
    std::string pattern = (fs::temp_directory_path() / "snug-atomic-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
  }
  ~AtomicFile() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string contents(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path().filename());
    return found;
  }

  fs::path folder_;
};

// The error that `work` throws; fails the test when it throws none.
template <typename Work>
Error error_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::kInternal, "none"};
}

TEST_F(AtomicFile, WritesReplacesAndLeavesNothingElse) {
  write_file_atomically(path("a.png"), as_bytes("first"));
  write_file_atomically(path("a.png"), as_bytes("second"));
  EXPECT_EQ(contents("a.png"), "second");
  EXPECT_EQ(names(), std::vector<std::string>{"a.png"});
}

TEST_F(AtomicFile, TheFileHasTheRightsThatTheUmaskLeaves) {
  const mode_t before = ::umask(027);
  write_file_atomically(path("a.png"), as_bytes("x"));
  ::umask(before);
  struct stat status = {};
  ASSERT_EQ(::stat(path("a.png").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
}

TEST_F(AtomicFile, AMissingFolderIsNamedWithWhatToDo) {
  const Error error = error_of([&] { write_file_atomically(path("none/a.png"), as_bytes("x")); });
  EXPECT_EQ(error.code(), ErrorCode::kIoError);
  EXPECT_NE(error.problem().find(path("none")), std::string::npos);
  EXPECT_EQ(error.fix(), "create it");
  EXPECT_TRUE(names().empty());
}

TEST_F(AtomicFile, FoldersDevicesAndForbiddenPlacesAreRefusedBeforeWriting) {
  fs::create_directory(path("folder"));
  std::ofstream(path("file")) << "x";
  for (const std::string& bad :
       {path("folder"), path("folder/"), path("file/a.png"), std::string("/dev/full")}) {
    EXPECT_EQ(error_of([&] { check_output_path(bad); }).code(), ErrorCode::kIoError) << bad;
  }
  if (::geteuid() == 0) return;  // root may write anywhere
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
  const Error error = error_of([&] { write_file_atomically(path("a.png"), as_bytes("x")); });
  fs::permissions(folder_, fs::perms::owner_all);
  EXPECT_EQ(error.code(), ErrorCode::kIoError);
}

TEST_F(AtomicFile, AFullDiskIsDiskFull) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  const Error error = error_of([&] { write_all(full, as_bytes("x"), "a.png"); });
  ::close(full);
  EXPECT_EQ(error.code(), ErrorCode::kDiskFull);
  EXPECT_EQ(error.file(), "a.png");
}

TEST_F(AtomicFile, RunningOutOfSpaceLeavesTheOldFileAndNothingElse) {
  write_file_atomically(path("a.png"), as_bytes("old"));
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {1024, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::vector<std::byte> large(4096);
  const Error error = error_of([&] { write_file_atomically(path("a.png"), large); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::kDiskFull);
  EXPECT_EQ(contents("a.png"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"a.png"});
}

TEST_F(AtomicFile, PiecesArriveInOrderAndAnErrorBetweenThemLeavesTheOldFile) {
  write_file_atomically(path("a.json"), [](const WritePiece& write) {
    write(as_bytes("one "));
    write(as_bytes("two"));
  });
  EXPECT_EQ(contents("a.json"), "one two");
  const auto failing = [](const WritePiece& write) {
    write(as_bytes("three"));
    throw Error(ErrorCode::kIoError, "stops here", "");
  };
  EXPECT_EQ(error_of([&] { write_file_atomically(path("a.json"), failing); }).code(), ErrorCode::kIoError);
  EXPECT_EQ(contents("a.json"), "one two");
  EXPECT_EQ(names(), std::vector<std::string>{"a.json"});
}

TEST_F(AtomicFile, ACancelledWriteLeavesNothing) {
  Cancellation cancellation;
  cancellation.request();
  const Error error = error_of([&] { write_file_atomically(path("a.png"), as_bytes("x"), &cancellation); });
  EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  EXPECT_TRUE(names().empty());
}

TEST_F(AtomicFile, WritersOfTheSameFileNeverMix) {
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&, letter] {
      const std::string text(100'000, letter);
      for (int i = 0; i < 5; ++i) write_file_atomically(path("a.png"), as_bytes(text));
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string text = contents("a.png");
  EXPECT_EQ(text, std::string(100'000, text.at(0)));
  EXPECT_EQ(names(), std::vector<std::string>{"a.png"});
}

}  // namespace
}  // namespace snug
