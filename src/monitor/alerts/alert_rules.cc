#include "monitor/alerts/alert_rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "base/nearest_name.h"

namespace snug {
namespace {

using enum AlertKind;
using enum ServiceStatus;

// A service that is merely slow is available; one that makes jobs wait or run well below the machine's speed
// is limited; one that will have to refuse jobs is insufficient; one that loses or damages work is critical.
// Values that leap (processor time, temperature) must stay for several samples; those that creep or are means
// themselves fire at once. A disk is critical when full, because then no finished picture can be kept.
constexpr std::array kKinds = {
    AlertKindInfo{kCpu, "cpu", "percent", "processor time that other programs take from Snug", 50, 80, 10, 6,
                  kAvailable, kLimited},
    AlertKindInfo{kMemory, "memory", "percent",
                  "memory in use, of the machine or of the tightest control group, whichever is fuller", 90,
                  97, 3, 2, kLimited, kInsufficient},
    AlertKindInfo{kDisk, "disk", "percent", "the data folder's disk in use", 90, 97, 1, 1, kLimited,
                  kCritical},
    AlertKindInfo{kTemperature, "temperature", "degrees Celsius",
                  "the hottest sensor or card; processors slow themselves down at about 95", 85, 95, 5, 3,
                  kLimited, kCritical},
    AlertKindInfo{kThrottling, "throttling", "percent",
                  "time that the control group's quota held cores back, of one core's", 20, 100, 10, 3,
                  kAvailable, kLimited},
    AlertKindInfo{kQueueWait, "queue_wait", "seconds", "predicted wait of a job that comes now", 300, 1800,
                  60, 2, kAvailable, kLimited},
    AlertKindInfo{kFailureRate, "failure_rate", "percent",
                  "jobs of the last hour that failed, not counting cancelled ones", 10, 50, 3, 1, kLimited,
                  kCritical},
    AlertKindInfo{kPlanError, "plan_error", "percent",
                  "how far measured times of the last hour lay from predicted ones, the median", 50, 200, 10,
                  1, kAvailable, kLimited},
};

constexpr bool is_in_order() {
  for (size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i].kind != static_cast<AlertKind>(i)) return false;
    if (kKinds[i].critical <= kKinds[i].warning || kKinds[i].band <= 0) return false;
  }
  return true;
}
static_assert(kKinds.size() == kAlertKindCount && is_in_order(), "the list is in the order of AlertKind");

AlertThreshold threshold(const AlertKindInfo& info, double fire_at) {
  // A band is no more than a tenth of a threshold that was set low.
  return {fire_at, fire_at - std::min(info.band, fire_at / 10 + 1e-9), info.samples};
}

Error bad_change(std::string_view change, const std::string& problem) {
  return {ErrorCode::kInvalidArgument, fmt::format("the alert '{}' {}", change, problem),
          "write kind=warning, kind=warning,critical or kind=off, as in memory=85,95"};
}

double positive_number(std::string_view change, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number > 0) || !std::isfinite(number)) {
    throw bad_change(change, fmt::format("has '{}', which is no positive number", text));
  }
  return number;
}

void apply_change(std::string_view change, std::vector<AlertRule>& rules) {
  const size_t equals = change.find('=');
  const std::string_view name = change.substr(0, equals);
  const auto kind = find_alert_kind(name);
  if (!kind) {
    std::vector<std::string_view> names;
    for (const AlertKindInfo& info : kKinds) names.push_back(info.name);
    const std::string_view near = nearest_name(name, names);
    throw bad_change(change, near.empty()
                                 ? "has a kind that there is not"
                                 : fmt::format("has a kind that there is not; did you mean {}?", near));
  }
  if (equals == std::string_view::npos) throw bad_change(change, "has no threshold");
  AlertRule& rule = rules[static_cast<size_t>(*kind)];
  const AlertKindInfo& info = alert_kind_info(*kind);
  const std::string_view value = change.substr(equals + 1);
  rule.levels = {};
  if (value == "off") return;
  const size_t comma = value.find(',');
  const double warning = positive_number(change, value.substr(0, comma));
  rule.levels[0] = threshold(info, warning);
  if (comma == std::string_view::npos) return;
  const double critical = positive_number(change, value.substr(comma + 1));
  if (critical <= warning) throw bad_change(change, "has a critical level that is not above its warning");
  rule.levels[1] = threshold(info, critical);
}

std::optional<double> highest(const std::optional<double>& a, const std::optional<double>& b) {
  if (!a || !b) return a ? a : b;
  return std::max(*a, *b);
}

std::optional<double> used_percent(const std::optional<double>& used, const std::optional<double>& total) {
  if (!used || !total || *total <= 0) return std::nullopt;
  return std::clamp(100 * *used / *total, 0.0, 100.0);
}

}  // namespace

std::span<const AlertKindInfo> alert_kinds() { return kKinds; }

const AlertKindInfo& alert_kind_info(AlertKind kind) {
  const auto index = static_cast<size_t>(kind);
  SNUG_CHECK(index < kKinds.size(), "a kind is one of the list");
  return kKinds[index];
}

std::optional<AlertKind> find_alert_kind(std::string_view name) {
  for (const AlertKindInfo& info : kKinds) {
    if (info.name == name) return info.kind;
  }
  return std::nullopt;
}

std::string_view alert_level_name(AlertLevel level) {
  return level == AlertLevel::kWarning ? "warning" : "critical";
}

std::optional<AlertLevel> find_alert_level(std::string_view name) {
  if (name == "warning") return AlertLevel::kWarning;
  if (name == "critical") return AlertLevel::kCritical;
  return std::nullopt;
}

std::string_view service_status_name(ServiceStatus status) {
  constexpr std::array<std::string_view, 5> kNames = {"optimal", "available", "limited", "insufficient",
                                                      "critical"};
  return kNames.at(static_cast<size_t>(status));
}

std::string describe_alerts() {
  std::string table =
      "| kind | unit | warning at | critical at | clears below, less | samples | status | meaning |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const AlertKindInfo& info : kKinds) {
    table +=
        fmt::format("| `{}` | {} | {} | {} | {} | {} | {}, {} | {} |\n", info.name, info.unit, info.warning,
                    info.critical, info.band, info.samples, service_status_name(info.at_warning),
                    service_status_name(info.at_critical), info.meaning);
  }
  return table;
}

std::vector<AlertRule> alert_rules(const std::vector<std::string>& changes) {
  std::vector<AlertRule> rules;
  for (const AlertKindInfo& info : kKinds) {
    rules.push_back({info.kind, {threshold(info, info.warning), threshold(info, info.critical)}});
  }
  for (const std::string& change : changes) apply_change(change, rules);
  return rules;
}

AlertValues alert_values(const Sample& sample) {
  AlertValues values;
  const auto put = [&](AlertKind kind, std::optional<double> value) {
    values[static_cast<size_t>(kind)] = value;
  };
  const auto total = sample[SampleField::kMemoryTotal], available = sample[SampleField::kMemoryAvailable];
  std::optional<double> used;
  if (total && available) used = *total - *available;
  const auto disk_total = sample[SampleField::kDiskTotal], disk_free = sample[SampleField::kDiskFree];
  std::optional<double> disk_used;
  if (disk_total && disk_free) disk_used = *disk_total - *disk_free;
  put(kCpu, sample[SampleField::kCpuOtherPercent]);
  put(kMemory, highest(used_percent(used, total), used_percent(sample[SampleField::kCgroupMemory],
                                                               sample[SampleField::kCgroupMemoryLimit])));
  put(kDisk, used_percent(disk_used, disk_total));
  put(kTemperature, highest(sample[SampleField::kTemperature], sample[SampleField::kGpuTemperature]));
  if (const auto throttled = sample[SampleField::kThrottled]) put(kThrottling, 100 * *throttled);
  return values;
}

}  // namespace snug
