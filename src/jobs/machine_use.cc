#include "jobs/machine_use.h"

#include <array>

namespace snug {
namespace {

constexpr std::array kFields = {
    MachineUseField{"wall_seconds", "seconds", &MachineUse::wall_seconds},
    MachineUseField{"process_cpu_seconds", "seconds", &MachineUse::process_cpu_seconds},
    MachineUseField{"cpu_percent", "percent", &MachineUse::cpu_percent},
    MachineUseField{"other_cpu_percent", "percent", &MachineUse::other_cpu_percent},
    MachineUseField{"steal_cpu_percent", "percent", &MachineUse::steal_cpu_percent},
    MachineUseField{"major_faults", "1", &MachineUse::major_faults},
    MachineUseField{"process_read_bytes", "bytes", &MachineUse::process_read_bytes},
    MachineUseField{"process_write_bytes", "bytes", &MachineUse::process_write_bytes},
    MachineUseField{"disk_read_bytes", "bytes", &MachineUse::disk_read_bytes},
    MachineUseField{"disk_busy_seconds", "seconds", &MachineUse::disk_busy_seconds},
    MachineUseField{"swap_in_bytes", "bytes", &MachineUse::swap_in_bytes},
    MachineUseField{"swap_out_bytes", "bytes", &MachineUse::swap_out_bytes},
    MachineUseField{"throttled_seconds", "seconds", &MachineUse::throttled_seconds},
    MachineUseField{"thermal_throttles", "1", &MachineUse::thermal_throttles},
    MachineUseField{"frequency_hertz", "hertz", &MachineUse::frequency_hertz},
    MachineUseField{"frequency_limit_hertz", "hertz", &MachineUse::frequency_limit_hertz},
    MachineUseField{"cpu_pressure_seconds", "seconds", &MachineUse::cpu_pressure_seconds},
    MachineUseField{"memory_pressure_seconds", "seconds", &MachineUse::memory_pressure_seconds},
    MachineUseField{"io_pressure_seconds", "seconds", &MachineUse::io_pressure_seconds},
    MachineUseField{"highest_resident_bytes", "bytes", &MachineUse::highest_resident_bytes},
    MachineUseField{"least_available_bytes", "bytes", &MachineUse::least_available_bytes},
    MachineUseField{"hottest_celsius", "degrees Celsius", &MachineUse::hottest_celsius},
    MachineUseField{"gpu_utilization_percent", "percent", &MachineUse::gpu_utilization_percent},
    MachineUseField{"highest_gpu_memory_bytes", "bytes", &MachineUse::highest_gpu_memory_bytes},
    MachineUseField{"gpu_temperature_celsius", "degrees Celsius", &MachineUse::gpu_temperature_celsius},
    MachineUseField{"gpu_power_watts", "watts", &MachineUse::gpu_power_watts},
};
static_assert(sizeof(MachineUse) == kFields.size() * sizeof(std::optional<double>), "every member is listed");

}  // namespace

std::span<const MachineUseField> machine_use_fields() { return kFields; }

nlohmann::ordered_json to_json(const MachineUse& use) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const MachineUseField& field : kFields) {
    if (const auto& value = use.*field.member) json[std::string(field.name)] = *value;
  }
  return json;
}

MachineUse machine_use_from_json(const nlohmann::ordered_json& json) {
  MachineUse use;
  if (!json.is_object()) return use;
  for (const MachineUseField& field : kFields) {
    const auto found = json.find(std::string(field.name));
    if (found != json.end() && found->is_number()) use.*field.member = found->get<double>();
  }
  return use;
}

}  // namespace snug
