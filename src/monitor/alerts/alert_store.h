// Alerts in the service's database (tables alert_event and alert_state): what happened, bounded, and what is
// active, so that an alert does not fire again when the program starts anew. Used by alerts.h.
//
// Threads: all methods may be called from any; the database outlives it. All throw Error, as Database does.
#pragma once

#include <cstdint>
#include <vector>

#include "jobs/database.h"
#include "monitor/alerts/alert_watch.h"

namespace snug {

inline constexpr int64_t kMostAlertEvents = 10'000;

class AlertStore {
 public:
  explicit AlertStore(Database& database) : database_(database) {}

  // Gives each its id, keeps them and the state that they lead to in one transaction; the oldest beyond
  // kMostAlertEvents go.
  void add(std::vector<AlertEvent>& events);
  // Newest first; of a kind that this program does not know, none.
  std::vector<AlertEvent> events(int64_t most);
  std::vector<ActiveAlert> active();

 private:
  Database& database_;
};

}  // namespace snug
