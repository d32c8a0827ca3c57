#include "monitor/alerts/alert_watch.h"

#include <algorithm>

#include <fmt/format.h>

namespace snug {

std::string_view alert_change_name(AlertChange change) {
  return change == AlertChange::kFired ? "fired" : "cleared";
}

std::optional<AlertChange> find_alert_change(std::string_view name) {
  if (name == "fired") return AlertChange::kFired;
  if (name == "cleared") return AlertChange::kCleared;
  return std::nullopt;
}

std::string alert_text(const AlertEvent& event) {
  const AlertKindInfo& info = alert_kind_info(event.kind);
  const std::string_view level = alert_level_name(event.level);
  if (!event.value) return fmt::format("{} is no longer watched for {}", info.name, level);
  if (event.change == AlertChange::kFired) {
    return fmt::format("{} is at level {}: {:.4g} {} (at or above {:.4g})", info.name, level, *event.value,
                       info.unit, event.threshold);
  }
  return fmt::format("{} is no longer at level {}: {:.4g} {} (below {:.4g})", info.name, level, *event.value,
                     info.unit, event.threshold);
}

AlertWatch::AlertWatch(const std::vector<AlertRule>& rules, const std::vector<ActiveAlert>& active) {
  for (const AlertRule& rule : rules) {
    for (size_t level = 0; level < kAlertLevelCount; ++level) {
      states_[static_cast<size_t>(rule.kind)][level].threshold = rule.levels[level];
    }
  }
  for (const ActiveAlert& alert : active) {
    State& state = states_[static_cast<size_t>(alert.kind)][static_cast<size_t>(alert.level)];
    state.is_active = true;
    state.since_ms = alert.since_ms;
  }
}

std::vector<AlertEvent> AlertWatch::observe(int64_t time_ms, const AlertValues& values) {
  std::vector<AlertEvent> events;
  for (size_t kind = 0; kind < kAlertKindCount; ++kind) {
    for (size_t level = 0; level < kAlertLevelCount; ++level) {
      State& state = states_[kind][level];
      const std::optional<double>& value = values[kind];
      AlertEvent event;
      event.time_ms = time_ms;
      event.kind = static_cast<AlertKind>(kind);
      event.level = static_cast<AlertLevel>(level);
      event.value = value;
      bool is_crossed = false;
      if (!state.threshold) {
        // Switched off while it was active.
        is_crossed = state.is_active;
        event.value.reset();
      } else if (state.is_active) {
        is_crossed = value && *value < state.threshold->clear_below;
        event.threshold = state.threshold->clear_below;
      } else {
        state.streak = value && *value >= state.threshold->fire_at ? state.streak + 1 : 0;
        is_crossed = state.streak >= state.threshold->samples;
        event.threshold = state.threshold->fire_at;
      }
      if (!is_crossed) continue;
      event.change = state.is_active ? AlertChange::kCleared : AlertChange::kFired;
      state.is_active = !state.is_active;
      state.since_ms = time_ms;
      state.streak = 0;
      events.push_back(event);
    }
  }
  return events;
}

std::vector<ActiveAlert> AlertWatch::active() const {
  std::vector<ActiveAlert> active;
  for (size_t kind = 0; kind < kAlertKindCount; ++kind) {
    for (size_t level = 0; level < kAlertLevelCount; ++level) {
      const State& state = states_[kind][level];
      if (!state.is_active) continue;
      active.push_back({static_cast<AlertKind>(kind), static_cast<AlertLevel>(level), state.since_ms});
    }
  }
  return active;
}

ServiceStatus AlertWatch::status() const { return status_of(active()); }

ServiceStatus status_of(const std::vector<ActiveAlert>& active) {
  ServiceStatus worst = ServiceStatus::kOptimal;
  for (const ActiveAlert& alert : active) {
    const AlertKindInfo& info = alert_kind_info(alert.kind);
    worst = std::max(worst, alert.level == AlertLevel::kWarning ? info.at_warning : info.at_critical);
  }
  return worst;
}

}  // namespace snug
