#include <cstring>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/file_tree.h"
#include "base/parallel.h"
#include "base/process_memory.h"
#include "base/units.h"

namespace snug {
namespace {

TEST(Error, EveryCodeHasOneRowAndAWordOfItsOwn) {
  std::set<std::string_view> words;
  for (int i = 0; i <= static_cast<int>(ErrorCode::kCancelled); ++i) {
    words.insert(error_info(static_cast<ErrorCode>(i)).word);
  }
  EXPECT_EQ(words.size(), error_table().size());
}

TEST(Error, LineNamesFileTensorProblemAndFixAndTheInnermostContextWins) {
  Error error(ErrorCode::kShapeMismatch, "has shape [2], needs [3]", "use a matching file");
  error.in_tensor("a.weight").in_file("x.safetensors").in_file("outer");
  EXPECT_STREQ(error.what(),
               "x.safetensors: tensor 'a.weight': has shape [2], needs [3]; use a matching file");
}

TEST(Units, BytesNeedAUnitAndRefuseNonsense) {
  EXPECT_EQ(parse_bytes("700MiB", "--memory"), 700 * kMiB);
  EXPECT_EQ(parse_bytes("1.5 GB", "--memory"), 1500000000u);
  EXPECT_EQ(parse_seconds("500ms", "--time"), 0.5);
  EXPECT_EQ(parse_seconds("2 min", "--time"), 120);
  for (const char* bad : {"", "30", "s", "-1s", "0s", "1e9h", "30sec", "nans"}) {
    EXPECT_THROW(parse_seconds(bad, "--time"), Error) << bad;
  }
  for (const char* bad : {"", "700", "-1GiB", "0MiB", "nanGiB", "1e300GB", "12parsecs"}) {
    EXPECT_THROW(parse_bytes(bad, "--memory"), Error) << bad;
  }
}

TEST(Units, BytesAndSecondsReadWell) {
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(2 * kGiB), "2.00 GiB");
  EXPECT_EQ(format_seconds(0.25), "250 ms");
  EXPECT_EQ(format_seconds(200), "3 min 20 s");
}

TEST(ByteSource, ReadingPastTheEndIsTruncatedNotACrash) {
  const std::vector<std::byte> bytes(10);
  auto source = view_memory("test", bytes);
  std::vector<std::byte> out(8);
  EXPECT_NO_THROW(source->read_at(2, out));
  EXPECT_THROW(source->read_at(3, out), Error);
  EXPECT_THROW(source->read_at(UINT64_MAX, out), Error);
}

TEST(FileTree, NamesThatLeaveTheFolderAreRefused) {
  for (const char* bad : {"../x", "/etc/passwd", "a/../../x", ""}) {
    EXPECT_THROW(require_inside("model", bad), Error) << bad;
  }
  EXPECT_NO_THROW(require_inside("model", "unet/config.json"));
}

TEST(Parallel, EveryIndexIsVisitedOnceWhateverTheThreadCount) {
  const int before = thread_count();
  for (const int threads : {1, 2, 4}) {
    set_thread_count(threads);
    std::vector<int> visits(1001, 0);
    parallel_for(1001, 10, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
    });
    EXPECT_EQ(visits, std::vector<int>(1001, 1));
  }
  set_thread_count(before);
}

// Workers that come late to a job, or for one that is over, must neither take part in the next one nor miss
// it.
TEST(Parallel, ShortJobsThatFollowEachOtherCloselyAreEachDoneOnce) {
  const int before = thread_count();
  for (const int threads : {2, 3, 8}) {
    set_thread_count(threads);
    std::vector<int> visits(64, 0);
    for (int job = 0; job < 2000; ++job) {
      parallel_tasks(job % 64 + 1, [&](int64_t index) { visits[static_cast<size_t>(index)] += 1; });
      if (job % 500 == 0) on_each_thread([](int) {});
    }
    for (int index = 0; index < 64; ++index) {
      int expected = 0;
      for (int job = 0; job < 2000; ++job) expected += index <= job % 64 ? 1 : 0;
      EXPECT_EQ(visits[static_cast<size_t>(index)], expected) << threads << " threads";
    }
  }
  set_thread_count(before);
}

TEST(ProcessMemory, PeakIsAtLeastResident) {
  const ProcessMemory memory = process_memory();
  EXPECT_GT(memory.resident_bytes, kMiB);
  EXPECT_GE(memory.peak_bytes, memory.resident_bytes);
}

}  // namespace
}  // namespace snug
