// Turns values into alerts: fired when a value has been at or above its threshold for as many samples as the
// rule says, cleared when it falls below the lower one. Between the two nothing happens; a value that is
// absent changes nothing but begins the count anew. So each crossing is one event, and fired and cleared
// alternate for each kind and level. Used by alerts.h; arithmetic only.
//
// Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "monitor/alerts/alert_rules.h"

namespace snug {

enum class AlertChange : uint8_t { kFired, kCleared };

struct AlertEvent {
  int64_t id = 0;       // grows by one; 0: not kept yet
  int64_t time_ms = 0;  // since 1970, UTC
  AlertKind kind = AlertKind::kCpu;
  AlertLevel level = AlertLevel::kWarning;
  AlertChange change = AlertChange::kFired;
  std::optional<double> value;  // nullopt: cleared because the rule has gone
  double threshold = 0;         // the one that was crossed
};
std::string_view alert_change_name(AlertChange change);  // "fired", "cleared"
std::optional<AlertChange> find_alert_change(std::string_view name);
// "memory is critical: 97.4 percent (at or above 97)", for people.
std::string alert_text(const AlertEvent& event);

struct ActiveAlert {
  AlertKind kind = AlertKind::kCpu;
  AlertLevel level = AlertLevel::kWarning;
  int64_t since_ms = 0;
  bool operator==(const ActiveAlert&) const = default;
};

class AlertWatch {
 public:
  // `active`: what had fired when the program last ran; it does not fire again.
  explicit AlertWatch(const std::vector<AlertRule>& rules, const std::vector<ActiveAlert>& active = {});

  std::vector<AlertEvent> observe(int64_t time_ms, const AlertValues& values);
  std::vector<ActiveAlert> active() const;
  ServiceStatus status() const;

 private:
  struct State {
    std::optional<AlertThreshold> threshold;
    bool is_active = false;
    int64_t since_ms = 0;
    int streak = 0;
  };
  std::array<std::array<State, kAlertLevelCount>, kAlertKindCount> states_;
};

// The worst of what the table says of each; optimal without any.
ServiceStatus status_of(const std::vector<ActiveAlert>& active);

}  // namespace snug
