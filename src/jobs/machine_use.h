// What the machine did between the begin and the end of a run. Measured by monitor/samples/use_meter.h,
// handed in where a run is observed, kept in its record as JSON, and read again by analysis.
//
// All is measured; what could not be read is nullopt, and left out of the JSON. Percents of processor time
// are of all cores together.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include <nlohmann/json.hpp>

namespace snug {

struct MachineUse {
  std::optional<double> wall_seconds;
  std::optional<double> process_cpu_seconds;                                // of all threads
  std::optional<double> cpu_percent, other_cpu_percent, steal_cpu_percent;  // others: without this process
  std::optional<double> major_faults;                                       // of this process
  std::optional<double> process_read_bytes, process_write_bytes;            // at disks, past the page cache
  std::optional<double> disk_read_bytes, disk_busy_seconds;                 // by anybody, the data folder's
  std::optional<double> swap_in_bytes, swap_out_bytes;                      // of the machine
  std::optional<double> throttled_seconds;  // by the control group's quota, added over cores
  std::optional<double> thermal_throttles;  // times that a core slowed down for its heat
  std::optional<double> frequency_hertz, frequency_limit_hertz;  // means over the run and the cores
  std::optional<double> cpu_pressure_seconds, memory_pressure_seconds, io_pressure_seconds;
  std::optional<double> highest_resident_bytes, least_available_bytes, hottest_celsius;
  std::optional<double> gpu_utilization_percent;  // mean over the run, of the busiest card
  std::optional<double> highest_gpu_memory_bytes, gpu_temperature_celsius, gpu_power_watts;

  bool operator==(const MachineUse&) const = default;
};

struct MachineUseField {
  std::string_view name;  // in JSON
  std::string_view unit;
  std::optional<double> MachineUse::*member;
};
// In the order of the struct.
std::span<const MachineUseField> machine_use_fields();

nlohmann::ordered_json to_json(const MachineUse& use);
// What is not a number, or not known, is passed over: the record may be of another version.
MachineUse machine_use_from_json(const nlohmann::ordered_json& json);

}  // namespace snug
