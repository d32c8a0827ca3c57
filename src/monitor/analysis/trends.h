// What is changing: of like runs (series_findings.h) and of the machine (machine_outlook.h), as one list with
// sentences, methods, p-values and intervals. Called by the API's pages, reports and `snug status`.
//
// Reading a window of history is two queries of at most a few thousand rows; the tests take some milliseconds
// for each long series. Throws what Database does. Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "monitor/analysis/machine_outlook.h"
#include "monitor/analysis/series_findings.h"

namespace snug {

struct Trends {
  int64_t from_ms = 0, to_ms = 0;
  SeriesFindings series;
  MachineOutlook machine;

  // Something got worse: a trend or a shift, a leak, a disk that is full within a week.
  bool alarm() const;
};

inline constexpr double kDiskAlarmSeconds = 7 * 86400.0;

// Of jobs that ended in [from_ms, to_ms). `history`: its waits are read here, the rest is the caller's.
Trends read_trends(Database& database, int64_t from_ms, int64_t to_ms, MachineHistory history,
                   const SeriesOptions& options = {});

// [{"kind": "trend" | "shift" | "outliers" | "leak" | "disk" | "queue", "alarm", "metric", "unit", the
// series' key, numbers by name with unit, "method", "p_value", "interval", "description", "recommendation"}],
// alarms first. Leak, disk and queue are always there, if only to say that there is too little data.
nlohmann::ordered_json to_json(const Trends& trends);

}  // namespace snug
