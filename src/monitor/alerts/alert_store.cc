#include "monitor/alerts/alert_store.h"

#include <string>

namespace snug {

void AlertStore::add(std::vector<AlertEvent>& events) {
  if (events.empty()) return;
  database_.write([&](Sql& sql) {
    int64_t id = sql.integer("SELECT MAX(id) FROM alert_event");
    for (AlertEvent& event : events) {
      event.id = ++id;
      const std::string kind(alert_kind_info(event.kind).name), level(alert_level_name(event.level));
      sql.run(
          "INSERT INTO alert_event (id, time_ms, kind, level, change, value, threshold) "
          "VALUES (?, ?, ?, ?, ?, ?, ?)",
          {event.id, event.time_ms, kind, level, std::string(alert_change_name(event.change)),
           sql_value(event.value), event.threshold});
      sql.run("DELETE FROM alert_state WHERE kind = ? AND level = ?", {kind, level});
      if (event.change == AlertChange::kFired) {
        sql.run("INSERT INTO alert_state (kind, level, since_ms) VALUES (?, ?, ?)",
                {kind, level, event.time_ms});
      }
    }
    sql.run("DELETE FROM alert_event WHERE id <= ?", {id - kMostAlertEvents});
  });
}

std::vector<AlertEvent> AlertStore::events(int64_t most) {
  return database_.read([&](Sql& sql) {
    std::vector<AlertEvent> events;
    for (SqlRow& row : sql.rows("SELECT id, time_ms, kind, level, change, value, threshold FROM alert_event "
                                "ORDER BY id DESC LIMIT ?",
                                7, {most})) {
      AlertEvent event;
      event.id = row.integer();
      event.time_ms = row.integer();
      const auto kind = find_alert_kind(row.text());
      const auto level = find_alert_level(row.text());
      const auto change = find_alert_change(row.text());
      event.value = row.maybe_real();
      event.threshold = row.real();
      if (!kind || !level || !change) continue;
      event.kind = *kind;
      event.level = *level;
      event.change = *change;
      events.push_back(event);
    }
    return events;
  });
}

std::vector<ActiveAlert> AlertStore::active() {
  return database_.read([&](Sql& sql) {
    std::vector<ActiveAlert> active;
    for (SqlRow& row : sql.rows("SELECT kind, level, since_ms FROM alert_state", 3)) {
      const auto kind = find_alert_kind(row.text());
      const auto level = find_alert_level(row.text());
      const int64_t since_ms = row.integer();
      if (kind && level) active.push_back({*kind, *level, since_ms});
    }
    return active;
  });
}

}  // namespace snug
