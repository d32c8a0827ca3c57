// Which cores there are and how many threads that makes, on made-up trees; and that pinned threads are where
// they should be, by what the system says.
#include "base/cores.h"

#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "base/parallel.h"
#include "base/pinning.h"

namespace snug {
namespace {

class Cores : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / ("snug-cores-" + std::to_string(::getpid()));
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void sibling(int core, const std::string& list) const {
    const auto folder = root_ / ("sys/devices/system/cpu/cpu" + std::to_string(core)) / "topology";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "thread_siblings_list") << list << "\n";
  }
  CoreLayout layout(std::vector<int> allowed) const { return core_layout(allowed, root_.string()); }
  std::filesystem::path root_;
};

TEST_F(Cores, HyperthreadsCountOncePerCoreAndComeLast) {
  for (int core = 0; core < 8; ++core) {
    sibling(core, std::to_string(core % 4) + "," + std::to_string(core % 4 + 4));
  }
  const CoreLayout all = layout({0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(all.physical, 4);
  EXPECT_EQ(all.logical, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(default_thread_count(all, std::nullopt), 4);
}

TEST_F(Cores, NeighbouringSiblingsAreSpread) {
  for (int core = 0; core < 4; ++core) sibling(core, core < 2 ? "0-1" : "2-3");
  EXPECT_EQ(layout({0, 1, 2, 3}).logical, (std::vector<int>{0, 2, 1, 3}));
}

TEST_F(Cores, OnlyAllowedCoresCount) {
  for (int core = 0; core < 8; ++core) {
    sibling(core, std::to_string(core % 4) + "," + std::to_string(core % 4 + 4));
  }
  // A container with two hyperthreads of one core and one of another.
  const CoreLayout some = layout({1, 2, 5});
  EXPECT_EQ(some.physical, 2);
  EXPECT_EQ(some.logical, (std::vector<int>{1, 2, 5}));
}

TEST_F(Cores, WhereSiblingsAreUnknownEachIsACore) {
  EXPECT_EQ(layout({0, 1, 2}).physical, 3);
  EXPECT_EQ(layout({}).logical.size(), 1u);
}

TEST_F(Cores, AShareOfTimeLimitsThreads) {
  CoreLayout cores;
  cores.physical = 8;
  EXPECT_EQ(default_thread_count(cores, 2.0), 2);
  EXPECT_EQ(default_thread_count(cores, 1.5), 2) << "one thread would leave a third of it unused";
  EXPECT_EQ(default_thread_count(cores, 0.3), 1);
  EXPECT_EQ(default_thread_count(cores, 64.0), 8);
}

class Pinning : public ::testing::Test {
 protected:
  void TearDown() override {
    unpin_threads();
    set_thread_count(threads_at_start_);
  }
  // By thread, the cores that the system lets it run on.
  static std::vector<std::vector<int>> masks() {
    std::vector<std::vector<int>> found(static_cast<size_t>(thread_count()));
    on_each_thread([&](int thread) { found[static_cast<size_t>(thread)] = allowed_cores(); });
    return found;
  }
  const int threads_at_start_ = thread_count();
};

TEST_F(Pinning, EachThreadHasACoreOfItsOwn) {
  const std::vector<int>& cores = core_layout().logical;
  const auto threads = static_cast<int>(std::min<size_t>(cores.size(), 4));
  set_thread_count(threads);
  ASSERT_EQ(pin_threads(), "");
  EXPECT_TRUE(threads_are_pinned());
  const auto found = masks();
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], std::vector<int>{cores[i]}) << i;
}

TEST_F(Pinning, HoldsForALaterThreadCountAndForMoreThreadsThanCores) {
  const std::vector<int>& cores = core_layout().logical;
  set_thread_count(1);
  ASSERT_EQ(pin_threads(), "");
  set_thread_count(static_cast<int>(cores.size()) + 1);
  const auto found = masks();
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], std::vector<int>{cores[i % cores.size()]});
}

TEST_F(Pinning, UnpinningAndThreadsBesideThePoolHaveAllCores) {
  const std::vector<int> before = allowed_cores();
  set_thread_count(2);
  ASSERT_EQ(pin_threads(), "");
  std::vector<int> beside;
  std::thread([&] {
    leave_pinned_core();
    beside = allowed_cores();
  }).join();
  EXPECT_EQ(beside, before);
  unpin_threads();
  EXPECT_FALSE(threads_are_pinned());
  for (const std::vector<int>& mask : masks()) EXPECT_EQ(mask, before);
}

}  // namespace
}  // namespace snug
