// The loop that samples, and what a run's use is measured by: deadlines, bounds, stopping, listeners, and
// numbers that agree with work done on purpose.
#include "monitor/samples/sampler.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "base/error.h"
#include "monitor/samples/made_up_machine.h"
#include "monitor/samples/use_meter.h"

namespace snug {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

MachineSamplerOptions quick() {
  MachineSamplerOptions options;
  options.interval = milliseconds(100);
  options.most_kept = 4;
  options.counters.data_folder = "/tmp";
  options.nvml_library = "libsnug-no-such-library.so.1";
  return options;
}

void busy_for(milliseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
  }
}

TEST(SampleFields, EveryFieldHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const SampleFieldInfo& info : sample_fields()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(find_sample_field(info.name), info.field);
    EXPECT_FALSE(info.unit.empty() || info.meaning.empty()) << info.name;
    EXPECT_TRUE(info.basis == "measured" || info.basis == "configured") << info.name;
    EXPECT_NE(describe_sample_fields().find("`" + std::string(info.name) + "`"), std::string::npos);
  }
  EXPECT_EQ(find_sample_field("cpu"), std::nullopt);
}

TEST(MachineSampler, TakesSamplesAtItsDeadlinesAndKeepsTheLast) {
  std::atomic<int> heard = 0;
  MachineSampler sampler(quick());
  auto subscription = sampler.listen([&](const Sample&) { ++heard; });
  const auto failing =
      sampler.listen([](const Sample&) { throw std::runtime_error("a listener's own fault"); });
  const auto start = Clock::now();
  while (heard < 8 && Clock::now() - start < std::chrono::seconds(20))
    std::this_thread::sleep_for(milliseconds(5));
  ASSERT_GE(heard, 8);
  subscription.reset();
  const int after = heard;
  const std::vector<Sample> recent = sampler.recent();
  EXPECT_EQ(recent.size(), 4u);
  for (size_t i = 1; i < recent.size(); ++i) {
    // The deadlines are whole intervals apart, whatever the jitter of each.
    const double apart = 1e-3 * static_cast<double>(recent[i].time_ms - recent[i - 1].time_ms) -
                         *recent[i][SampleField::kJitterSeconds] +
                         *recent[i - 1][SampleField::kJitterSeconds];
    EXPECT_NEAR(apart / 0.1, std::round(apart / 0.1), 0.1);
    EXPECT_GE(*recent[i][SampleField::kJitterSeconds], 0);
  }
  EXPECT_GE(sampler.latest()->time_ms, recent.back().time_ms);
  EXPECT_GT(*recent.back()[SampleField::kProcessResident], 1 << 20);
  EXPECT_GT(*recent.back()[SampleField::kDiskFree], 0);
  EXPECT_NE(sampler.reasons()[static_cast<size_t>(SampleField::kGpuPower)], "");
  EXPECT_EQ(sampler.reasons()[static_cast<size_t>(SampleField::kDiskFree)], "");
  const SamplerCost cost = sampler.cost();
  EXPECT_GE(cost.samples, 8);
  EXPECT_GT(*cost.median_seconds, 0);
  EXPECT_LE(*cost.median_seconds, *cost.p99_seconds);
  std::printf("a sample: median %.3f ms, p99 %.3f ms; jitter p99 %.3f ms\n", 1e3 * *cost.median_seconds,
              1e3 * *cost.p99_seconds, 1e3 * *cost.p99_jitter_seconds);
  std::this_thread::sleep_for(milliseconds(250));
  EXPECT_EQ(heard, after) << "who does not listen any more hears nothing";
}

TEST(MachineSampler, StopsAtOnceAndRefusesIntervalsThatAreNone) {
  MachineSamplerOptions options = quick();
  options.interval = kMostSampleInterval;
  const auto start = Clock::now();
  { const MachineSampler sampler(options); }
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(10));
  options.interval = milliseconds(99);
  EXPECT_THROW(MachineSampler{options}, Error);
  options.interval = kMostSampleInterval + milliseconds(1);
  EXPECT_THROW(MachineSampler{options}, Error);
}

TEST(UseMeter, MeasuresWhatARunDid) {
  UseMeter meter({"", std::filesystem::temp_directory_path()});
  const Reading begin = meter.begin();
  busy_for(milliseconds(200));
  std::vector<char> memory(64 << 20, 1);
  const MachineUse use = meter.since(begin);
  ASSERT_TRUE(use.wall_seconds && use.process_cpu_seconds && use.highest_resident_bytes);
  EXPECT_GE(*use.wall_seconds, 0.2);
  EXPECT_GT(*use.process_cpu_seconds, 0.01);
  EXPECT_LE(*use.process_cpu_seconds,
            *use.wall_seconds * static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN)) + 0.05);
  EXPECT_GE(*use.highest_resident_bytes, static_cast<double>(memory.size()) * (memory[5] == 1 ? 1 : 0));
  const auto json = to_json(use);
  EXPECT_EQ(machine_use_from_json(nlohmann::ordered_json::parse(json.dump())), use);
}

TEST(UseMeter, IsTheDifferenceOfCountersAndTheExtremesBetween) {
  const testing::MadeUpMachine machine;
  const auto status = [&](int resident_kib, int peak_kib) {
    machine.write("proc/self/status",
                  fmt::format("VmHWM: {} kB\nVmRSS: {} kB\nThreads: 1\n", peak_kib, resident_kib));
  };
  CounterReader reader(machine.options());
  machine.cpu(1000, 0, 1000);
  machine.process(100, 5, 5);
  machine.write("proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n");
  status(100, 400);
  Reading begin, end;
  reader.read(begin);
  machine.cpu(1300, 0, 1300);
  machine.process(250, 5, 25);
  machine.write("proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=4000000\n");
  status(150, 400);
  reader.read(end);
  end.at = begin.at + std::chrono::seconds(3);
  Sample between;
  between[SampleField::kProcessResident] = 300 * 1024;
  between[SampleField::kGpuPower] = 200;
  const MachineUse use = machine_use(begin, end, {between});
  EXPECT_EQ(use.wall_seconds, 3);
  EXPECT_DOUBLE_EQ(*use.process_cpu_seconds, 1.5);
  EXPECT_DOUBLE_EQ(*use.cpu_percent, 50);
  EXPECT_DOUBLE_EQ(*use.other_cpu_percent, 25);
  EXPECT_EQ(use.major_faults, 20);
  EXPECT_DOUBLE_EQ(*use.io_pressure_seconds, 3);
  EXPECT_EQ(use.highest_resident_bytes, 300 * 1024);
  EXPECT_EQ(use.gpu_power_watts, 200);
  EXPECT_EQ(use.memory_pressure_seconds, std::nullopt);
  EXPECT_FALSE(to_json(use).contains("memory_pressure_seconds")) << "what is not known is not written";
  status(150, 900);
  reader.read(end);
  EXPECT_EQ(machine_use(begin, end, {}).highest_resident_bytes, 900 * 1024) << "the mark moved meanwhile";
  EXPECT_EQ(machine_use_from_json("nonsense"), MachineUse());
  EXPECT_EQ(machine_use_from_json({{"wall_seconds", "1"}, {"other", 3}}), MachineUse());
}

// A bound beside what is measured: a run's two readings against a hundredth of a second of computing.
TEST(UseMeter, CostsLittle) {
  UseMeter meter({"", "/tmp"});
  std::vector<double> seconds;
  for (int i = 0; i < 100; ++i) {
    const auto start = Clock::now();
    meter.since(meter.begin());
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("begin and end of a run: median %.3f ms, p99 %.3f ms\n", 1e3 * seconds[50], 1e3 * seconds[98]);
  EXPECT_LT(seconds[50], 0.01);
}

}  // namespace
}  // namespace snug
