// What becomes of the machine: does the process leak, when is the disk full, how long will jobs wait. Called
// by trends.h with histories of samples, which who calls reads from the sample store, and waits from the
// records.
//
//   leak   of resident memory (monitor/statistics/leak.h). Runs come and go within its windows, whose least
//          values count: what the process holds when the queue is idle.
//   disk   free bytes: when they reach 0 (time_to_limit.h), and where they will be in the next 24 hours
//          (forecast.h, intervals checked on held-out values) where the history is regular enough for that.
//   queue  the wait of the next hour (queue_forecast.h).
// All forecasts are predicted, never measured. Times are milliseconds since 1970, UTC. Pure but for the
// reading of waits, which throws what Database does; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "jobs/database.h"
#include "monitor/statistics/forecast.h"
#include "monitor/statistics/leak.h"
#include "monitor/statistics/queue_forecast.h"
#include "monitor/statistics/time_to_limit.h"

namespace snug {

// One number over time, ascending; only moments at which it was known.
struct History {
  std::vector<int64_t> times_ms;
  std::vector<double> values;
};

struct MachineHistory {
  History resident_bytes;   // of this process, since it began; of roll-ups the means
  History disk_free_bytes;  // of the data folder's disk
  History queue_seconds;    // of each job that began, at that time
};

struct MachineOutlook {
  LeakFinding leak;
  TimeToLimit disk_full;
  std::optional<Forecast> disk_free_bytes;  // of hours ahead
  QueueForecast queue_seconds;
};

MachineOutlook look_ahead(const MachineHistory& history, int64_t now_ms);

// Waits of jobs that began in [from_ms, to_ms), for MachineHistory::queue_seconds.
History read_queue_history(Database& database, int64_t from_ms, int64_t to_ms);

// The means of equal steps up to the last value; nothing when a step has none, or there is less than one.
// What forecast() wants.
std::optional<std::vector<double>> regular_means(const History& history, double step_seconds);

}  // namespace snug
