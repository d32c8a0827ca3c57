// Files read through the page cache and past it give the same bytes and the same errors, wherever a read
// begins and ends.
#include "base/byte_source.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

class FileBytes : public ::testing::TestWithParam<bool> {
 protected:
  // Several of the direct reader's windows, the last one odd.
  FileBytes() : bytes_(3 * kDirectBufferBytes + 12'345) {
    std::mt19937 random(1);
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random());
    // Where the build is: /tmp may be a tmpfs, which refuses direct reading.
    path_ = (fs::current_path() / ("snug-byte-source." + std::to_string(::getpid()))).string();
    write(bytes_);
  }
  ~FileBytes() override { fs::remove(path_); }

  void write(std::span<const std::byte> bytes) const {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  std::unique_ptr<ByteSource> open() const { return open_file(path_, {.direct = GetParam()}); }
  void expect_same(const ByteSource& source, uint64_t offset, size_t count) const {
    std::vector<std::byte> out(count);
    source.read_at(offset, out);
    EXPECT_TRUE(std::equal(out.begin(), out.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset)))
        << count << " bytes from " << offset;
  }
  static ErrorCode code_of(const ByteSource& source, uint64_t offset, size_t count) {
    std::vector<std::byte> out(count);
    try {
      source.read_at(offset, out);
    } catch (const Error& error) {
      EXPECT_EQ(error.file(), source.name());
      return error.code();
    }
    ADD_FAILURE() << "read " << count << " bytes from " << offset;
    return ErrorCode::kInternal;
  }

  std::vector<std::byte> bytes_;
  std::string path_;
};

TEST_P(FileBytes, AreTheSameFromAnyOffsetInAnyLength) {
  const auto source = open();
  EXPECT_EQ(source->size(), bytes_.size());
  for (const uint64_t offset : {0UL, 1UL, 511UL, 4095UL, 4096UL, 4097UL, kDirectBufferBytes - 1}) {
    for (const size_t count :
         {0UL, 1UL, 4095UL, 4096UL, 4097UL, kDirectBufferBytes, kDirectBufferBytes + 3}) {
      expect_same(*source, offset, count);
    }
  }
  std::mt19937_64 random(2);
  for (int i = 0; i < 200; ++i) {
    const uint64_t offset = random() % bytes_.size();
    expect_same(*source, offset, random() % (bytes_.size() - offset + 1));
  }
}

TEST_P(FileBytes, EndWhereTheFileEnds) {
  const auto source = open();
  for (const size_t tail : {1UL, 57UL, 4096UL, 12'345UL, 12'346UL}) {
    expect_same(*source, bytes_.size() - tail, tail);
    EXPECT_EQ(code_of(*source, bytes_.size() - tail, tail + 1), ErrorCode::kTruncated);
  }
  expect_same(*source, bytes_.size(), 0);
  EXPECT_EQ(code_of(*source, bytes_.size(), 1), ErrorCode::kTruncated);
  EXPECT_EQ(code_of(*source, bytes_.size() + 1'000'000, 1), ErrorCode::kTruncated);
}

TEST_P(FileBytes, AShrunkFileIsTruncatedAndWhatIsLeftIsRead) {
  const auto source = open();
  for (const size_t left : {2 * kDirectBufferBytes + 7, size_t{8192}, size_t{1}}) {
    fs::resize_file(path_, left);
    expect_same(*source, 0, left);
    EXPECT_EQ(code_of(*source, 0, left + 1), ErrorCode::kTruncated);
    EXPECT_EQ(code_of(*source, 100'000, bytes_.size() - 100'000), ErrorCode::kTruncated);
  }
}

TEST_P(FileBytes, AnEmptyFileHasNone) {
  write({});
  const auto source = open();
  EXPECT_EQ(source->size(), 0u);
  expect_same(*source, 0, 0);
  EXPECT_EQ(code_of(*source, 0, 1), ErrorCode::kTruncated);
}

TEST_P(FileBytes, AreReadByManyThreadsAtOnce) {
  const auto source = open();
  std::vector<std::jthread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 40; ++i) {
        const uint64_t offset = random() % (bytes_.size() / 2);
        expect_same(*source, offset, random() % (bytes_.size() / 2));
      }
    });
  }
}

INSTANTIATE_TEST_SUITE_P(, FileBytes, ::testing::Bool(),
                         [](const auto& access) { return access.param ? "Direct" : "Buffered"; });

TEST(DirectFile, SaysWhetherItIsAndIsNeverUnlessAsked) {
  const fs::path here = fs::current_path() / ("snug-direct-here." + std::to_string(::getpid()));
  std::ofstream(here) << "some bytes";
  EXPECT_FALSE(open_file(here)->is_direct());
  EXPECT_FALSE(view_memory("memory", {})->is_direct());
  std::printf("direct reading in %s: %s\n", fs::current_path().c_str(),
              open_file(here, {.direct = true})->is_direct() ? "granted" : "refused");
  fs::remove(here);
}

TEST(DirectFile, IsReadAsUsualWhereTheFileSystemRefuses) {
  // /proc has regular files of its own making, and no direct reading.
  const auto source = open_file("/proc/self/maps", {.direct = true});
  EXPECT_FALSE(source->is_direct());
  std::vector<std::byte> out(10);
  EXPECT_NO_THROW(source->read_at(0, out));
}

TEST(DirectFile, ThatIsNotThereIsNotFound) {
  try {
    open_file("/nowhere/at/all", {.direct = true});
    ADD_FAILURE() << "opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace snug
