// Memory refused at any point of a run is an error, never a crash: each allocation of a run fails in turn.
// The error is out_of_memory (or the run does without), nothing half-written is left, and the next run works.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <new>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/process_memory.h"
#include "base/stopwatch.h"
#include "pipeline/generate.h"
#include "tests/plan/fail_allocations.h"
#include "tests/program.h"

namespace snug {
namespace {

class AllocationFailure : public ::testing::Test {
 protected:
  // Threads come and go with the kernels otherwise, and with them the order of allocations.
  void SetUp() override {
    set_thread_count(1);
    spdlog::set_level(spdlog::level::off);
  }
  void TearDown() override { set_thread_count(before_); }

  RequestFields small_request() const {
    RequestFields fields;
    fields.prompt = "a (red:1.2) house";
    fields.seed = 3;
    fields.steps = 1;
    fields.width = 64;
    fields.height = 64;
    fields.output = folder_.file("out.png");
    return fields;
  }

  // Generates while allocation `fail_at` is refused; what came of it.
  std::string outcome(int64_t fail_at, bool and_all_after) {
    const RequestFields fields = small_request();
    std::string word;
    testing::count_and_fail(fail_at, and_all_after);
    try {
      generate(fields, {});
      count_ = testing::stop_failing();
      word = "done";
    } catch (const Error& error) {
      count_ = testing::stop_failing();
      word = error_info(error.code()).word;
    } catch (const std::bad_alloc&) {
      // There was not even memory for the report; apps/snug makes out_of_memory of it.
      count_ = testing::stop_failing();
      word = "bad_alloc";
    }
    if (folder_.count() > 0) {
      // Once the picture is written, only the report can fail; the picture is whole.
      EXPECT_EQ(folder_.count(), 1U) << "allocation " << fail_at << ": " << word;
      const std::string picture = bytes_of_file(fields.output);
      if (complete_.empty()) complete_ = picture;
      EXPECT_TRUE(picture == complete_) << "allocation " << fail_at << ": " << word;
      if (word == "io_error") word = "done";
    } else {
      EXPECT_NE(word, "done") << "allocation " << fail_at;
    }
    std::filesystem::remove(fields.output);
    return word;
  }

  static std::string bytes_of_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  void fail_each(bool and_all_after, double seconds) {
    ASSERT_EQ(outcome(0, false), "done");
    ASSERT_EQ(outcome(0, false), "done");  // what is made once is made
    const int64_t allocations = count_;
    const Stopwatch watch;
    std::map<std::string, int> outcomes;
    int64_t stride = 1;
    int tried = 0;
    for (int64_t at = 1; at <= allocations; at += stride) {
      const std::string word = outcome(at, and_all_after);
      ++outcomes[word];
      EXPECT_TRUE(word == "done" || word == "out_of_memory" || word == "bad_alloc")
          << "allocation " << at << ": " << word;
      if (++tried % 50 == 0) {
        EXPECT_EQ(outcome(0, false), "done") << "after allocation " << at;
      }
      if (tried < 300) continue;
      const double left = seconds - watch.seconds(), each = watch.seconds() / tried;
      const double more = std::max(left / each, 20.0);
      stride = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(allocations - at) / more) + 1);
    }
    std::printf("[ memory ] %lld allocations, %d refused%s in %.1f s:", static_cast<long long>(allocations),
                tried, and_all_after ? " with all after" : "", watch.seconds());
    for (const auto& [word, count] : outcomes) std::printf(" %s %d", word.c_str(), count);
    std::printf("\n");
    EXPECT_GT(outcomes["out_of_memory"] + outcomes["bad_alloc"], 300);
    EXPECT_EQ(outcome(0, false), "done");
  }

  testing::ScratchFolder folder_{"allocation_failure"};
  int64_t count_ = 0;
  std::string complete_;  // the picture

 private:
  const int before_ = thread_count();
};

TEST_F(AllocationFailure, OfOneAllocationIsAnErrorOrDoneWithout) { fail_each(false, 14); }

// Asked when there is none, it said that /proc was not mounted.
TEST(ProcessMemory, IsToldWithoutTakingAny) {
  testing::count_and_fail(0);
  const ProcessMemory memory = process_memory();
  EXPECT_EQ(testing::stop_failing(), 0);
  EXPECT_GT(memory.resident_bytes, 0U);
  EXPECT_GE(memory.peak_bytes, memory.resident_bytes);
  EXPECT_GT(memory.mapped_bytes, memory.resident_bytes);
}

TEST_F(AllocationFailure, OfAllFromOneOnIsAnErrorToo) { fail_each(true, 8); }

}  // namespace
}  // namespace snug
