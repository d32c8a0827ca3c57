#include "monitor/analysis/trends.h"

#include <algorithm>

namespace snug {

bool Trends::alarm() const {
  const bool disk = machine.disk_full.outlook == LimitOutlook::kReached ||
                    (machine.disk_full.outlook == LimitOutlook::kReaches &&
                     machine.disk_full.seconds.value_or(kDiskAlarmSeconds) < kDiskAlarmSeconds);
  return disk || machine.leak.leaking ||
         std::any_of(series.found.begin(), series.found.end(),
                     [](const SeriesFinding& finding) { return finding.alarm(); });
}

Trends read_trends(Database& database, int64_t from_ms, int64_t to_ms, MachineHistory history,
                   const SeriesOptions& options) {
  Trends trends;
  trends.from_ms = from_ms;
  trends.to_ms = to_ms;
  trends.series = find_in_series(read_run_series(database, from_ms, to_ms), options);
  history.queue_seconds = read_queue_history(database, from_ms, to_ms);
  // Runs that end together may have begun later than the window's end says.
  while (!history.queue_seconds.times_ms.empty() && history.queue_seconds.times_ms.back() > to_ms) {
    history.queue_seconds.times_ms.pop_back();
    history.queue_seconds.values.pop_back();
  }
  trends.machine = look_ahead(history, to_ms);
  return trends;
}

}  // namespace snug
