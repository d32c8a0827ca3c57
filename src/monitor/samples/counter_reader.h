// Reads the kernel's counters and figures once: of the machine, of this process, of its control groups, of
// the data folder's disk. sampler.cc and use_meter.cc take two readings and let rates.h make numbers of them.
//
// A reading is raw: counters since the machine or the process began, and figures that hold for the moment.
// What cannot be read is nullopt, as in a container without the file, and problems() says why. The reader
// keeps its files open and its buffer, so a reading allocates nothing once they have their size.
//
// Linux: /proc/stat, meminfo, vmstat, loadavg, diskstats, net/dev, pressure/*, self/{stat,status,io,fd}; what
// control_groups.h, sensors.h and data_disk.h name. The process's processor time is the system's own clock of
// it, which is finer than /proc/self/stat; only under another root does that file stand in for it.
//
// Threads: one at a time. Throws nothing.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "monitor/samples/control_groups.h"
#include "monitor/samples/data_disk.h"
#include "monitor/samples/kernel_file.h"
#include "monitor/samples/sample.h"
#include "monitor/samples/sensors.h"

namespace snug {

// What only ever grows.
enum class Counter : uint8_t {
  kCpuSeconds,  // of all cores, idle or not
  kCpuBusySeconds,
  kCpuIowaitSeconds,
  kCpuStealSeconds,
  kProcessCpuSeconds,
  kMinorFaults,
  kMajorFaults,
  kSwapInBytes,
  kSwapOutBytes,
  kDiskReadBytes,
  kDiskWriteBytes,
  kDiskBusySeconds,
  kProcessReadBytes,
  kProcessWriteBytes,
  kNetworkReceivedBytes,
  kNetworkSentBytes,
  kThrottledSeconds,
  kThermalThrottles,
  kCpuPressureSeconds,
  kMemoryPressureSeconds,
  kIoPressureSeconds,
};
inline constexpr size_t kCounterCount = static_cast<size_t>(Counter::kIoPressureSeconds) + 1;
using CounterProblems = std::array<std::string, kCounterCount>;

struct CoreSeconds {
  double all = 0, busy = 0;
  bool is_online = false;
};

struct Reading {
  std::chrono::steady_clock::time_point at;
  std::array<std::optional<double>, kCounterCount> counters;
  SampleValues figures;            // those fields that are no rates
  std::vector<CoreSeconds> cores;  // by the kernel's number

  const std::optional<double>& operator[](Counter counter) const {
    return counters[static_cast<size_t>(counter)];
  }
};

struct CounterOptions {
  std::string root;         // prepended to the system's paths; for tests
  std::string data_folder;  // whose disk is meant; empty: none
};

class CounterReader {
 public:
  explicit CounterReader(CounterOptions options);

  // `reading` may be an older one, whose memory is used again.
  void read(Reading& reading);

  // Why a counter, or a field that is no rate, was absent when it last was; empty: it was there.
  const CounterProblems& counter_problems() const { return counter_problems_; }
  const SampleReasons& figure_problems() const { return figure_problems_; }

 private:
  void read_stat(Reading& reading);
  void read_memory(Reading& reading);
  void read_process(Reading& reading);
  void read_process_status(Reading& reading);
  void read_disk(Reading& reading);
  void read_network(Reading& reading);
  void read_pressure(Reading& reading);
  void read_sensors(Reading& reading);
  std::optional<double> open_files();
  bool is_physical(std::string_view interface);

  // Keeps the value, and the problem of one that is absent.
  template <typename Problem>
  void put(Reading& reading, Counter counter, std::optional<double> value, const Problem& problem);
  template <typename Problem>
  void put(Reading& reading, SampleField field, std::optional<double> value, const Problem& problem);

  const CounterOptions options_;
  KernelFile stat_, load_, meminfo_, vmstat_, self_stat_, self_status_, self_io_, network_;
  std::array<KernelFile, 3> pressures_;
  std::string open_files_folder_;
  bool counts_files_by_size_ = false;
  ControlGroups groups_;
  Sensors sensors_;
  DataDisk disk_;
  std::vector<char> buffer_;
  std::string path_;  // scratch
  CounterProblems counter_problems_;
  SampleReasons figure_problems_;
};

}  // namespace snug
