#include "monitor/pages/resources.h"

#include <array>
#include <functional>
#include <string>
#include <utility>

#include "monitor/pages/page_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;
using Field = SampleField;

constexpr double kMebibyte = 1 << 20;

ordered_json numbers_json(const std::vector<std::optional<double>>& numbers) {
  ordered_json list = ordered_json::array();
  for (const std::optional<double>& number : numbers) list.push_back(or_null(number));
  return list;
}

ordered_json gpu_json(const GpuSample& gpu) {
  ordered_json json;
  json["index"] = gpu.index;
  json["name"] = or_null(gpu.name);
  json["utilization_percent"] = or_null(gpu.utilization_percent);
  json["memory_used_bytes"] = or_null(gpu.memory_used_bytes);
  json["memory_other_bytes"] = or_null(gpu.memory_other_bytes);
  json["memory_total_bytes"] = or_null(gpu.memory_total_bytes);
  json["power_watts"] = or_null(gpu.power_watts);
  json["temperature_celsius"] = or_null(gpu.temperature_celsius);
  json["clock_hertz"] = or_null(gpu.clock_hertz);
  json["clock_limit_hertz"] = or_null(gpu.clock_limit_hertz);
  json["memory_clock_hertz"] = or_null(gpu.memory_clock_hertz);
  json["throttle_reasons"] = or_null(gpu.throttle_reasons);
  json["problem"] = or_null(gpu.problem);
  return json;
}

ordered_json gpus_json(const ResourceReading& reading) {
  ordered_json list = ordered_json::array();
  if (reading.sample.has_value()) {
    for (const GpuSample& gpu : reading.sample->gpus) list.push_back(gpu_json(gpu));
  }
  return list;
}

std::optional<double> value_of(const ResourceReading& reading, Field field) {
  return reading.sample.has_value() ? (*reading.sample)[field] : std::nullopt;
}
// Why there is no value; null where there is no reason known either.
ordered_json reason_of(const ResourceReading& reading, Field field) {
  if (!reading.sample.has_value()) return or_null(reading.absent);
  return or_null(reading.reasons[static_cast<size_t>(field)]);
}

std::optional<double> less(std::optional<double> a, std::optional<double> b) {
  return a && b ? std::optional(*a - *b) : std::nullopt;
}
std::optional<double> in_mb(std::optional<double> bytes) {
  return bytes ? std::optional(*bytes / kMebibyte) : std::nullopt;
}

// One member of status, and the field whose reason is its own.
struct StatusMember {
  std::string_view name;
  std::optional<double> value;
  Field reason;
};

}  // namespace

ordered_json resources_json(const ResourceReading& reading) {
  ordered_json json, reasons = ordered_json::object();
  for (const SampleFieldInfo& info : sample_fields()) {
    const std::optional<double> value = value_of(reading, info.field);
    json[std::string(info.name)] = or_null(value);
    if (!value.has_value()) reasons[std::string(info.name)] = reason_of(reading, info.field);
  }
  json["cores_percent"] =
      reading.sample.has_value() ? numbers_json(reading.sample->core_percents) : ordered_json::array();
  json["gpus"] = gpus_json(reading);
  json["reasons"] = std::move(reasons);
  return json;
}

ordered_json status_resources(const ResourceReading& reading) {
  const auto value = [&](Field field) { return value_of(reading, field); };
  const std::optional<double> disk_total = value(Field::kDiskTotal), disk_free = value(Field::kDiskFree);
  const std::optional<double> disk_used = disk_total && disk_free && *disk_total > 0
                                              ? std::optional(100 * (1 - *disk_free / *disk_total))
                                              : std::nullopt;
  const std::array members = {
      StatusMember{"cpu_usage_percent", value(Field::kCpuPercent), Field::kCpuPercent},
      StatusMember{"ram_usage_mb", in_mb(less(value(Field::kMemoryTotal), value(Field::kMemoryAvailable))),
                   Field::kMemoryAvailable},
      StatusMember{"ram_available_mb", in_mb(value(Field::kMemoryAvailable)), Field::kMemoryAvailable},
      StatusMember{"disk_usage_percent", disk_used, Field::kDiskFree},
      StatusMember{"gpu_usage_percent", value(Field::kGpuUtilizationPercent), Field::kGpuUtilizationPercent},
      StatusMember{"vram_usage_mb", in_mb(value(Field::kGpuMemoryUsed)), Field::kGpuMemoryUsed},
      StatusMember{"vram_available_mb",
                   in_mb(less(value(Field::kGpuMemoryTotal), value(Field::kGpuMemoryUsed))),
                   Field::kGpuMemoryTotal},
      StatusMember{"temperature_celsius", value(Field::kTemperature), Field::kTemperature},
  };
  ordered_json json, reasons = ordered_json::object();
  for (const StatusMember& member : members) {
    json[std::string(member.name)] = or_null(member.value);
    if (!member.value.has_value()) reasons[std::string(member.name)] = reason_of(reading, member.reason);
  }
  // Without a sample it is not known whether there is one.
  json["gpu_available"] =
      reading.sample.has_value() ? ordered_json(!reading.sample->gpus.empty()) : ordered_json();
  json["gpus"] = gpus_json(reading);
  json["reasons"] = std::move(reasons);
  return json;
}

}  // namespace snug
