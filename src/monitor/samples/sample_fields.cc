#include "monitor/samples/sample_fields.h"

#include <array>

#include <fmt/format.h>

#include "base/check.h"

namespace snug {
namespace {

using enum SampleField;

constexpr std::array kFields = {
    SampleFieldInfo{kCpuPercent, "cpu_percent", "percent", "measured",
                    "time in which the machine's cores were not idle; 100 is all of them"},
    SampleFieldInfo{kCpuOtherPercent, "cpu_other_percent", "percent", "measured",
                    "cpu_percent without this process: other programs, the kernel, other virtual machines"},
    SampleFieldInfo{kProcessCpuPercent, "process_cpu_percent", "percent", "measured",
                    "this process's part of the time of all cores"},
    SampleFieldInfo{kCpuIowaitPercent, "cpu_iowait_percent", "percent", "measured",
                    "time in which cores were idle while something waited for a disk"},
    SampleFieldInfo{kCpuStealPercent, "cpu_steal_percent", "percent", "measured",
                    "time that the hypervisor gave to other virtual machines; part of cpu_percent"},
    SampleFieldInfo{kLoadAverage, "load_average_1m", "1", "measured",
                    "tasks that ran or waited for a disk, the kernel's average over a minute"},
    SampleFieldInfo{kMemoryTotal, "memory_total_bytes", "bytes", "measured", "the machine's memory"},
    SampleFieldInfo{kMemoryAvailable, "memory_available_bytes", "bytes", "measured",
                    "what programs could still take without swapping, by the kernel's estimate"},
    SampleFieldInfo{kCgroupMemory, "cgroup_memory_bytes", "bytes", "measured",
                    "what the tightest control group holds, without cached files"},
    SampleFieldInfo{kCgroupMemoryLimit, "cgroup_memory_limit_bytes", "bytes", "configured",
                    "the tightest limit among the process's control group and its parents"},
    SampleFieldInfo{kSwapTotal, "swap_total_bytes", "bytes", "configured", "the machine's swap space"},
    SampleFieldInfo{kSwapUsed, "swap_used_bytes", "bytes", "measured", "of which is in use"},
    SampleFieldInfo{kSwapIn, "swap_in_bytes_per_second", "bytes/second", "measured",
                    "read back from swap by the whole machine"},
    SampleFieldInfo{kSwapOut, "swap_out_bytes_per_second", "bytes/second", "measured",
                    "written to swap by the whole machine"},
    SampleFieldInfo{kProcessResident, "process_resident_bytes", "bytes", "measured",
                    "memory of this process, files that it has mapped included"},
    SampleFieldInfo{kProcessPeak, "process_peak_bytes", "bytes", "measured",
                    "most of it since the process began, or since the last run did"},
    SampleFieldInfo{kMinorFaults, "minor_faults_per_second", "1/second", "measured",
                    "pages that this process got without reading"},
    SampleFieldInfo{kMajorFaults, "major_faults_per_second", "1/second", "measured",
                    "pages that had to be read from a disk for this process"},
    SampleFieldInfo{kDiskTotal, "disk_total_bytes", "bytes", "measured", "size of the data folder's disk"},
    SampleFieldInfo{kDiskFree, "disk_free_bytes", "bytes", "measured",
                    "free on it for the user that Snug runs as"},
    SampleFieldInfo{kDiskRead, "disk_read_bytes_per_second", "bytes/second", "measured",
                    "read from the data folder's disk by anybody"},
    SampleFieldInfo{kDiskWrite, "disk_write_bytes_per_second", "bytes/second", "measured",
                    "written to it by anybody"},
    SampleFieldInfo{kDiskBusyPercent, "disk_busy_percent", "percent", "measured",
                    "time in which it had something to do"},
    SampleFieldInfo{kProcessRead, "process_read_bytes_per_second", "bytes/second", "measured",
                    "read from disks for this process, past the page cache"},
    SampleFieldInfo{kProcessWrite, "process_write_bytes_per_second", "bytes/second", "measured",
                    "written, or to be written, to disks for this process"},
    SampleFieldInfo{kNetworkReceived, "network_received_bytes_per_second", "bytes/second", "measured",
                    "by the interfaces with hardware behind them; by all but lo where none has"},
    SampleFieldInfo{kNetworkSent, "network_sent_bytes_per_second", "bytes/second", "measured", "likewise"},
    SampleFieldInfo{kThreads, "threads", "1", "measured", "of this process"},
    SampleFieldInfo{kOpenFiles, "open_files", "1", "measured", "file descriptors of this process"},
    SampleFieldInfo{kTemperature, "temperature_celsius", "degrees Celsius", "measured",
                    "the hottest of the machine's sensors, disks and network cards aside"},
    SampleFieldInfo{kFrequency, "frequency_hertz", "hertz", "measured",
                    "mean of the cores' present frequencies"},
    SampleFieldInfo{kFrequencyLimit, "frequency_limit_hertz", "hertz", "configured",
                    "mean of what they may reach now"},
    SampleFieldInfo{kThrottled, "throttled_seconds_per_second", "seconds/second", "measured",
                    "time that the control group's cores were held back by its quota, added over cores"},
    SampleFieldInfo{kThermalThrottles, "thermal_throttles_per_second", "1/second", "measured",
                    "times that a core slowed down as it was too hot"},
    SampleFieldInfo{kCpuPressurePercent, "cpu_pressure_percent", "percent", "measured",
                    "time in which some task waited for a core"},
    SampleFieldInfo{kMemoryPressurePercent, "memory_pressure_percent", "percent", "measured",
                    "time in which some task waited for memory"},
    SampleFieldInfo{kIoPressurePercent, "io_pressure_percent", "percent", "measured",
                    "time in which some task waited for a disk"},
    SampleFieldInfo{kGpuUtilizationPercent, "gpu_utilization_percent", "percent", "measured",
                    "of the busiest card: time in which a kernel ran"},
    SampleFieldInfo{kGpuMemoryUsed, "gpu_memory_used_bytes", "bytes", "measured", "of all cards together"},
    SampleFieldInfo{kGpuMemoryOther, "gpu_memory_other_bytes", "bytes", "measured",
                    "of which other processes hold, on all cards"},
    SampleFieldInfo{kGpuMemoryTotal, "gpu_memory_total_bytes", "bytes", "measured", "of all cards together"},
    SampleFieldInfo{kGpuTemperature, "gpu_temperature_celsius", "degrees Celsius", "measured",
                    "of the hottest card"},
    SampleFieldInfo{kGpuPower, "gpu_power_watts", "watts", "measured", "of all cards together"},
    SampleFieldInfo{kSampleSeconds, "sample_seconds", "seconds", "measured", "what taking this sample took"},
    SampleFieldInfo{kJitterSeconds, "jitter_seconds", "seconds", "measured", "how late the sample was begun"},
};

constexpr bool is_in_order() {
  for (size_t i = 0; i < kFields.size(); ++i) {
    if (kFields[i].field != static_cast<SampleField>(i)) return false;
  }
  return true;
}
static_assert(kFields.size() == kSampleFieldCount && is_in_order(),
              "the list is in the order of SampleField");

}  // namespace

std::span<const SampleFieldInfo> sample_fields() { return kFields; }

const SampleFieldInfo& sample_field_info(SampleField field) {
  const auto index = static_cast<size_t>(field);
  SNUG_CHECK(index < kFields.size(), "a field is one of the list");
  return kFields[index];
}

std::optional<SampleField> find_sample_field(std::string_view name) {
  for (const SampleFieldInfo& info : kFields) {
    if (info.name == name) return info.field;
  }
  return std::nullopt;
}

std::string describe_sample_fields() {
  std::string table = "| name | unit | basis | meaning |\n|---|---|---|---|\n";
  for (const SampleFieldInfo& info : kFields) {
    table += fmt::format("| `{}` | {} | {} | {} |\n", info.name, info.unit, info.basis, info.meaning);
  }
  return table;
}

}  // namespace snug
