// What models took to load is kept by model, newest first, and a file that is broken counts as nothing known.
#include "pipeline/load_history.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "pipeline/run_report.h"

namespace snug {
namespace {

class LoadHistory : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }

  void keep(const std::string& model, double load_seconds, double stall_seconds, uint64_t read_bytes = 100) {
    RunReport report;
    report.load_seconds = load_seconds;
    report.phases.resize(2);
    report.phases[1].stall_seconds = stall_seconds;
    report.read_bytes = read_bytes;
    report.peak_bytes = 7;
    keep_past_load(path_, model, report);
  }
  const std::string path_ = ::testing::TempDir() + "/loads_test.json";
};

TEST_F(LoadHistory, IsOpeningAndWaitingForWeightsByModelNewestFirst) {
  keep("a", 1, 0.5);
  keep("b", 9, 0);
  keep("a", 2, 0.25);
  const auto all = load_past_loads(path_);
  ASSERT_EQ(all.size(), 2U);
  ASSERT_EQ(all.at("a").size(), 2U);
  EXPECT_DOUBLE_EQ(all.at("a")[0].seconds, 2.25);
  EXPECT_DOUBLE_EQ(all.at("a")[1].seconds, 1.5);
  EXPECT_EQ(all.at("a")[0].peak_bytes, 7U);
  EXPECT_DOUBLE_EQ(median_load_seconds({{3, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, {2, 0, 0, 0, 0}}), 2);
}

TEST_F(LoadHistory, ForgetsTheOldestAndSkipsRunsThatReadNothing) {
  for (int i = 0; i < 20; ++i) keep("a", i, 0);
  keep("a", 100, 0, 0);
  const auto loads = load_past_loads(path_).at("a");
  EXPECT_EQ(loads.size(), 8U);
  EXPECT_DOUBLE_EQ(loads.front().seconds, 19);
}

TEST_F(LoadHistory, ABrokenFileIsNoHistory) {
  for (
      const char* text :
      {"", "{", "[]", R"({"version":1,"entries":[{"model":3}]})",
       R"({"version":1,"entries":[{"model":"a","loads":[[1],["x",1,1,1,1],[-1,1,1,1,1],[1e99,1,1,1,1]]}]})"}) {
    std::ofstream(path_) << text;
    EXPECT_TRUE(load_past_loads(path_).empty()) << text;
  }
}

}  // namespace
}  // namespace snug
