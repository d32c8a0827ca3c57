// The same request gives the same picture, bit for bit, whatever the number of threads.
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "base/parallel.h"
#include "pipeline/generate.h"

namespace snug {
namespace {

// FNV-1a, so that a failure shows which runs agree.
uint64_t hash_of(const std::vector<std::byte>& bytes) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const std::byte b : bytes) hash = (hash ^ static_cast<uint64_t>(b)) * 0x100000001b3U;
  return hash;
}

class Bits : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { set_thread_count(threads_at_start_); }

  // The same with every thread count.
  void check(const RequestFields& fields) const {
    std::vector<std::vector<std::byte>> with_one;
    for (const int threads : {1, 2, 4}) {
      set_thread_count(threads);
      const std::vector<std::vector<std::byte>> pictures = generate(fields, {}).pictures;
      ASSERT_FALSE(pictures.empty());
      if (threads == 1) with_one = pictures;
      std::printf("bits %s %lldx%lld, %d threads: %016llx\n", GetParam().c_str(),
                  static_cast<long long>(*fields.width), static_cast<long long>(*fields.height), threads,
                  static_cast<unsigned long long>(hash_of(pictures.back())));
      EXPECT_EQ(pictures, with_one) << threads << " threads";
    }
  }

  RequestFields request(int64_t width, int64_t height) const {
    RequestFields fields;
    fields.prompt = "a (red:1.2) sailboat on the sea at sunset";
    fields.negative_prompt = "night";
    fields.seed = 7;
    fields.steps = 4;
    fields.width = width;
    fields.height = height;
    fields.precision = GetParam();
    return fields;
  }

 private:
  const int threads_at_start_ = thread_count();
};

TEST_P(Bits, DoNotDependOnTheThreadCount) { check(request(128, 128)); }

TEST_P(Bits, DoNotDependOnTheThreadCountAtUnevenSizesInBatches) {
  RequestFields fields = request(200, 72);
  fields.batch = 3;
  fields.sampler = "euler_a";
  check(fields);
}

INSTANTIATE_TEST_SUITE_P(Precisions, Bits, ::testing::Values("f32", "bf16"),
                         [](const auto& chosen) { return chosen.param; });

}  // namespace
}  // namespace snug
