// What there are alerts about, at which levels, and what they make of the service's state: two stated tables.
// Read by alert_watch.h, which applies them; the setting `alerts` changes the thresholds.
//
// To add a kind: a member of AlertKind, a row in alert_rules.cc at the same place, a line where it is
// measured (alert_values in alerts.cc, or whoever hands values in). A value is better the lower it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "monitor/samples/sample.h"

namespace snug {

enum class AlertKind : uint8_t {
  kCpu,
  kMemory,
  kDisk,
  kTemperature,
  kThrottling,
  kQueueWait,
  kFailureRate,
  kPlanError,
};
inline constexpr size_t kAlertKindCount = static_cast<size_t>(AlertKind::kPlanError) + 1;

enum class AlertLevel : uint8_t { kWarning, kCritical };
inline constexpr size_t kAlertLevelCount = 2;

// How the service is, from best to worst.
enum class ServiceStatus : uint8_t { kOptimal, kAvailable, kLimited, kInsufficient, kCritical };

struct AlertKindInfo {
  AlertKind kind;
  std::string_view name;  // "memory"
  std::string_view unit;
  std::string_view meaning;
  double warning, critical;  // configured by default: fires at or above
  double band;               // clears below the threshold less this
  int samples;               // so many in a row, each at or above, before it fires
  ServiceStatus at_warning, at_critical;
};

// In the order of AlertKind.
std::span<const AlertKindInfo> alert_kinds();
const AlertKindInfo& alert_kind_info(AlertKind kind);
std::optional<AlertKind> find_alert_kind(std::string_view name);
std::string_view alert_level_name(AlertLevel level);  // "warning", "critical"
std::optional<AlertLevel> find_alert_level(std::string_view name);
std::string_view service_status_name(ServiceStatus status);  // "optimal", ...
// The table for documentation, as Markdown.
std::string describe_alerts();

// One threshold with its hysteresis.
struct AlertThreshold {
  double fire_at = 0, clear_below = 0;  // clear_below < fire_at
  int samples = 1;
};

struct AlertRule {
  AlertKind kind = AlertKind::kCpu;
  std::array<std::optional<AlertThreshold>, kAlertLevelCount> levels;  // nullopt: no alert at that level
};

// The defaults, changed by entries of the setting `alerts`: "memory=85,95" (warning, critical), "memory=85"
// (no critical level), "cpu=off". Throws invalid_argument for a kind that there is not, a threshold that is
// no positive number, or a critical one that is not above the warning.
std::vector<AlertRule> alert_rules(const std::vector<std::string>& changes = {});

using AlertValues = std::array<std::optional<double>, kAlertKindCount>;
// What a sample says: all but queue wait, failure rate and plan error.
AlertValues alert_values(const Sample& sample);

}  // namespace snug
