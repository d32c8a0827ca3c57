// Every number of a sample: the one list of names, units, bases and meanings. Rows of the store, exports, the
// page's labels and the documentation come from it.
//
// To add a number: a member of SampleField, a row in sample_fields.cc at the same place, a line where it is
// read (counter_reader.cc, rates.cc, nvml.cc). Names are kept in stored rows: a released one does not change.
//
// Percents of processor time are of all cores together: 100 is every core busy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace snug {

enum class SampleField : uint8_t {
  kCpuPercent,
  kCpuOtherPercent,
  kProcessCpuPercent,
  kCpuIowaitPercent,
  kCpuStealPercent,
  kLoadAverage,
  kMemoryTotal,
  kMemoryAvailable,
  kCgroupMemory,
  kCgroupMemoryLimit,
  kSwapTotal,
  kSwapUsed,
  kSwapIn,
  kSwapOut,
  kProcessResident,
  kProcessPeak,
  kMinorFaults,
  kMajorFaults,
  kDiskTotal,
  kDiskFree,
  kDiskRead,
  kDiskWrite,
  kDiskBusyPercent,
  kProcessRead,
  kProcessWrite,
  kNetworkReceived,
  kNetworkSent,
  kThreads,
  kOpenFiles,
  kTemperature,
  kFrequency,
  kFrequencyLimit,
  kThrottled,
  kThermalThrottles,
  kCpuPressurePercent,
  kMemoryPressurePercent,
  kIoPressurePercent,
  kGpuUtilizationPercent,
  kGpuMemoryUsed,
  kGpuMemoryOther,
  kGpuMemoryTotal,
  kGpuTemperature,
  kGpuPower,
  kSampleSeconds,
  kJitterSeconds,
};

inline constexpr size_t kSampleFieldCount = static_cast<size_t>(SampleField::kJitterSeconds) + 1;

struct SampleFieldInfo {
  SampleField field;
  std::string_view name;
  std::string_view unit;   // "percent", "bytes", "bytes/second", "1": a number
  std::string_view basis;  // "measured", "configured"
  std::string_view meaning;
};

// In the order of SampleField.
std::span<const SampleFieldInfo> sample_fields();
const SampleFieldInfo& sample_field_info(SampleField field);
// By its name; nullopt: there is none.
std::optional<SampleField> find_sample_field(std::string_view name);
// The list as a Markdown table, for documentation.
std::string describe_sample_fields();

}  // namespace snug
