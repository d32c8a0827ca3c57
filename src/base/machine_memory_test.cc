#include "base/machine_memory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace snug {
namespace {

// A made-up /proc and /sys.
class MachineMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / ("snug-machine-" + std::to_string(::getpid()));
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  uint64_t tightest() const {
    uint64_t least = ~uint64_t{0};
    for (const MemoryLimit& limit : machine_memory(root_.string()).limits) {
      if (limit.name.starts_with("cgroup")) least = std::min(least, limit.bytes);
    }
    return least;
  }
  std::filesystem::path root_;
};

TEST_F(MachineMemoryTest, ThisMachineHasMemoryAndCores) {
  const MachineMemory memory = machine_memory();
  ASSERT_TRUE(memory.total_bytes.has_value());
  EXPECT_GT(*memory.total_bytes, 1u << 20);
  EXPECT_LE(*memory.available_bytes, *memory.total_bytes);
  EXPECT_GE(usable_cores(), 1);
}

TEST_F(MachineMemoryTest, TheTightestOfAGroupAndItsParentsIsFound) {
  write("proc/meminfo", "MemTotal:       8000000 kB\nMemAvailable:    4000000 kB\n");
  write("proc/self/cgroup", "0::/user.slice/job\n");
  write("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  write("sys/fs/cgroup/user.slice/memory.max", "1000000\n");
  write("sys/fs/cgroup/user.slice/memory.current", "400\n");
  write("sys/fs/cgroup/memory.max", "2000000\n");
  write("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n");
  EXPECT_EQ(machine_memory(root_.string()).total_bytes, uint64_t{8000000} * 1024);
  EXPECT_EQ(tightest(), 1000000u);
  EXPECT_EQ(machine_memory(root_.string()).limits.front().used_bytes, 400u);
  EXPECT_EQ(cpu_quota(root_.string()), 1.5);
}

TEST_F(MachineMemoryTest, VersionOneOfControlGroupsIsUnderstood) {
  write("proc/self/cgroup", "7:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n");
  // A container sees its own group at the mount point.
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
  write("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(tightest(), 536870912u);
  EXPECT_EQ(cpu_quota(root_.string()), std::nullopt);
}

TEST_F(MachineMemoryTest, ABareContainerGivesNothingRatherThanZero) {
  const MachineMemory memory = machine_memory(root_.string());
  EXPECT_FALSE(memory.total_bytes.has_value());
  EXPECT_EQ(tightest(), ~uint64_t{0});
}

}  // namespace
}  // namespace snug
