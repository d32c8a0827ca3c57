// Runs of the embedded model under real stress: each is named first.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "jobs/service_fixture.h"
#include "monitor/analysis/bottlenecks.h"
#include "monitor/analysis/real_run_fixture.h"
#include "monitor/records/record_store.h"
#include "pipeline/fit_request.h"
#include "pipeline/kept_run.h"

namespace snug {
namespace {

using Kind = BottleneckKind;
using testing::model_on_disk;
using testing::record_of;
using testing::small_request;

// Of a disk that is slow for what the kernels do, yet plausible; the embedded model is read in under a
// second.
constexpr double kSlowDiskBytes = 20e6;

std::string told(const RunBottlenecks& found) { return to_json(found).dump(1); }

void expect_first(Kind kind, const RunRecord& record, const MachinePeaks& peaks) {
  const RunBottlenecks found = analyse_run(record, peaks);
  ASSERT_FALSE(found.job.empty()) << record.detail;
  EXPECT_EQ(bottleneck_kind_name(found.job.front().kind), bottleneck_kind_name(kind)) << told(found);
  EXPECT_TRUE(is_avoidable(found.job.front().kind));
  EXPECT_GE(found.job.front().share, kSignificantShare) << told(found);
  std::printf("  %s\n", found.job.front().description.c_str());
}

TEST(StressorsTest, ADiskSlowerThanItsRateIsTheDisk) {
  GenerateOptions options;
  options.model = model_on_disk(kSlowDiskBytes);
  const RunReport report = generate(small_request(), options).report;
  MachinePeaks peaks = machine_peaks();
  peaks.rates = options.rates;
  expect_first(Kind::kDisk, record_of(report), peaks);
}

// The same disk, whose rate is known: reading was to take that long, and a kept run does not read.
TEST(StressorsTest, AColdModelIsLoadAndAKeptOneIsNot) {
  KeptRun kept;
  GenerateOptions options;
  options.rates.read_bytes = kSlowDiskBytes;
  options.model = model_on_disk(kSlowDiskBytes);
  options.kept = &kept;
  RequestFields fields = small_request();
  fields.keep_weights = true;
  MachinePeaks peaks = machine_peaks();
  peaks.rates = options.rates;
  expect_first(Kind::kLoad, record_of(generate(fields, options).report), peaks);
  const RunRecord again = record_of(generate(fields, options).report);
  EXPECT_TRUE(again.kept);
  for (const Bottleneck& found : bottlenecks_of(again, peaks)) EXPECT_NE(found.kind, Kind::kLoad);
}

TEST(StressorsTest, ABudgetThatMakesItReadAgainInEachStepIsMemoryPressure) {
  GenerateOptions options;
  options.rates.read_bytes = kSlowDiskBytes;
  options.model = model_on_disk(kSlowDiskBytes);
  RequestFields fields = small_request(8);
  fields.memory = "1MiB";
  uint64_t least = 0;
  try {
    generate(fields, options);
    FAIL() << "a mebibyte is not enough";
  } catch (const OverBudget& refusal) {
    for (const WayOut& way : refusal.ways)
      if (way.flag.starts_with("--memory")) least = way.memory_bytes;
  }
  ASSERT_GT(least, 0U);
  fields.memory = std::to_string(least + (1U << 20)) + "B";
  const RunReport report = generate(fields, options).report;
  MachinePeaks peaks = machine_peaks();
  peaks.rates = options.rates;
  const RunRecord record = record_of(report);
  EXPECT_GT(record.streamed_bytes.value_or(0), 0);
  expect_first(Kind::kMemoryPressure, record, peaks);
}

// The kernel's own figures, read here: what the meter of the service reads is tested where it is.
struct CpuReading {
  double all = 0, busy = 0, own = 0;  // seconds of all cores
};
CpuReading read_cpu() {
  std::ifstream file("/proc/stat");
  std::string word, line;
  std::getline(file, line);
  std::istringstream numbers(line);
  numbers >> word;
  CpuReading reading;
  const double tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  double number = 0;
  for (int i = 0; i < 8 && numbers >> number; ++i) {
    reading.all += number * tick;
    if (i != 3 && i != 4) reading.busy += number * tick;
  }
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  reading.own = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return reading;
}

class Spinners {
 public:
  explicit Spinners(int count) {
    for (int i = 0; i < count; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(60);  // also when the test ends without us
        for (std::atomic<unsigned> turns = 0;;) turns.fetch_add(1, std::memory_order_relaxed);
      }
      if (child > 0) children_.push_back(child);
    }
  }
  ~Spinners() {
    for (const pid_t child : children_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }
  Spinners(const Spinners&) = delete;
  Spinners& operator=(const Spinners&) = delete;

 private:
  std::vector<pid_t> children_;
};

TEST(StressorsTest, CoresThatOthersUseAreOtherPrograms) {
  if (!std::ifstream("/proc/stat").good()) GTEST_SKIP() << "no /proc/stat";
  const MachinePeaks peaks = machine_peaks();
  GenerateOptions options;
  options.model = open_model({});
  const Spinners spinners(2 * peaks.cores);
  const CpuReading before = read_cpu();
  const RunReport report = generate(small_request(30, 128), options).report;
  const CpuReading after = read_cpu();
  MachineUse use;
  const double all = after.all - before.all, busy = after.busy - before.busy, own = after.own - before.own;
  ASSERT_GT(all, 0);
  use.cpu_percent = 100 * busy / all;
  use.other_cpu_percent = std::max(0.0, 100 * (busy - own) / all);
  use.process_cpu_seconds = own;
  expect_first(Kind::kOtherPrograms, record_of(report, use), peaks);
}

class StressedServiceTest : public ServiceTest {};

TEST_F(StressedServiceTest, AJobBehindOthersWaitsInTheQueue) {
  start();
  std::vector<Job> jobs;
  // Different sizes: no two make a batch.
  for (int i = 0; i < 5; ++i) {
    Submission asked = submission("a hill", static_cast<uint64_t>(i), 20);
    asked.fields.width = 64 + 8 * i;
    jobs.push_back(service_->submit(asked));
  }
  EXPECT_EQ(wait(jobs.back().id).state, JobState::kDone);
  const std::optional<RunRecord> record = RecordStore(*database_).find(jobs.back().id);
  ASSERT_TRUE(record.has_value());
  expect_first(Kind::kQueue, *record, machine_peaks());
}

}  // namespace
}  // namespace snug
