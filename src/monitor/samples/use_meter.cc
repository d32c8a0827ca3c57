#include "monitor/samples/use_meter.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "monitor/samples/rates.h"

namespace snug {
namespace {

struct Grown {
  std::optional<double> MachineUse::*member;
  Counter counter;
};
constexpr std::array kGrown = {
    Grown{&MachineUse::process_cpu_seconds, Counter::kProcessCpuSeconds},
    Grown{&MachineUse::major_faults, Counter::kMajorFaults},
    Grown{&MachineUse::process_read_bytes, Counter::kProcessReadBytes},
    Grown{&MachineUse::process_write_bytes, Counter::kProcessWriteBytes},
    Grown{&MachineUse::disk_read_bytes, Counter::kDiskReadBytes},
    Grown{&MachineUse::disk_busy_seconds, Counter::kDiskBusySeconds},
    Grown{&MachineUse::swap_in_bytes, Counter::kSwapInBytes},
    Grown{&MachineUse::swap_out_bytes, Counter::kSwapOutBytes},
    Grown{&MachineUse::throttled_seconds, Counter::kThrottledSeconds},
    Grown{&MachineUse::thermal_throttles, Counter::kThermalThrottles},
    Grown{&MachineUse::cpu_pressure_seconds, Counter::kCpuPressureSeconds},
    Grown{&MachineUse::memory_pressure_seconds, Counter::kMemoryPressureSeconds},
    Grown{&MachineUse::io_pressure_seconds, Counter::kIoPressureSeconds},
};

// All values of a field: of both ends, and between.
struct Seen {
  double sum = 0, least = 0, most = 0;
  int count = 0;

  void add(const std::optional<double>& value) {
    if (!value) return;
    least = count == 0 ? *value : std::min(least, *value);
    most = count == 0 ? *value : std::max(most, *value);
    sum += *value;
    ++count;
  }
  std::optional<double> of(double value) const { return count == 0 ? std::nullopt : std::optional(value); }
  std::optional<double> highest() const { return of(most); }
  std::optional<double> lowest() const { return of(least); }
  std::optional<double> mean() const { return of(sum / std::max(count, 1)); }
};

Seen seen(const Reading& begin, const Reading& end, const std::vector<Sample>& between, SampleField field) {
  Seen all;
  all.add(begin.figures[static_cast<size_t>(field)]);
  for (const Sample& sample : between) all.add(sample[field]);
  all.add(end.figures[static_cast<size_t>(field)]);
  return all;
}

// The kernel's high-water mark, where it moved: it grew during the run, or a run set it anew. Else what was
// seen.
std::optional<double> highest_resident(const Reading& begin, const Reading& end,
                                       const std::vector<Sample>& between) {
  constexpr auto kPeak = static_cast<size_t>(SampleField::kProcessPeak);
  const auto before = begin.figures[kPeak], after = end.figures[kPeak];
  const auto highest = seen(begin, end, between, SampleField::kProcessResident).highest();
  if (!before || !after || *before == *after) return highest;
  return std::max(*after, highest.value_or(*after));
}

}  // namespace

MachineUse machine_use(const Reading& begin, const Reading& end, const std::vector<Sample>& between) {
  MachineUse use;
  use.wall_seconds = seconds_between(begin, end);
  for (const Grown& row : kGrown) use.*row.member = growth(begin, end, row.counter);
  use.cpu_percent = cpu_percent(begin, end, Counter::kCpuBusySeconds);
  use.steal_cpu_percent = cpu_percent(begin, end, Counter::kCpuStealSeconds);
  use.other_cpu_percent = other_cpu_percent(begin, end);
  const auto all = [&](SampleField field) { return seen(begin, end, between, field); };
  use.frequency_hertz = all(SampleField::kFrequency).mean();
  use.frequency_limit_hertz = all(SampleField::kFrequencyLimit).mean();
  use.highest_resident_bytes = highest_resident(begin, end, between);
  use.least_available_bytes = all(SampleField::kMemoryAvailable).lowest();
  use.hottest_celsius = all(SampleField::kTemperature).highest();
  use.gpu_utilization_percent = all(SampleField::kGpuUtilizationPercent).mean();
  use.highest_gpu_memory_bytes = all(SampleField::kGpuMemoryUsed).highest();
  use.gpu_temperature_celsius = all(SampleField::kGpuTemperature).highest();
  use.gpu_power_watts = all(SampleField::kGpuPower).mean();
  return use;
}

UseMeter::UseMeter(CounterOptions options, const MachineSampler* sampler)
    : reader_(std::move(options)), sampler_(sampler) {}

Reading UseMeter::read() {
  Reading reading;
  const std::scoped_lock lock(mutex_);
  reader_.read(reading);
  return reading;
}

Reading UseMeter::begin() { return read(); }

MachineUse UseMeter::since(const Reading& begin) {
  const Reading end = read();
  std::vector<Sample> between;
  if (sampler_ != nullptr) {
    using std::chrono::duration_cast, std::chrono::milliseconds, std::chrono::system_clock;
    const auto begun = system_clock::now() - duration_cast<system_clock::duration>(end.at - begin.at);
    between = sampler_->recent(duration_cast<milliseconds>(begun.time_since_epoch()).count());
  }
  return machine_use(begin, end, between);
}

}  // namespace snug
