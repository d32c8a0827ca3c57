#include "monitor/analysis/machine_outlook.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace snug {
namespace {

constexpr double kHourSeconds = 3600;
// A day; a shorter history is asked for as much as it can tell.
constexpr size_t kMostHoursAhead = 24;
constexpr int64_t kMostWaits = 3000;

std::vector<double> seconds_since(const History& history, int64_t from_ms) {
  std::vector<double> seconds;
  seconds.reserve(history.times_ms.size());
  for (const int64_t time : history.times_ms) seconds.push_back(static_cast<double>(time - from_ms) / 1000);
  return seconds;
}

std::vector<double> seconds_since_first(const History& history) {
  return seconds_since(history, history.times_ms.empty() ? 0 : history.times_ms.front());
}

}  // namespace

std::optional<std::vector<double>> regular_means(const History& history, double step_seconds) {
  SNUG_CHECK(history.times_ms.size() == history.values.size(), "each value has its time");
  const std::vector<double> seconds = seconds_since_first(history);
  if (seconds.empty()) return std::nullopt;
  const auto steps = static_cast<size_t>(seconds.back() / step_seconds);
  if (steps == 0) return std::nullopt;
  std::vector<double> sums(steps), counts(steps);
  for (size_t i = 0; i < seconds.size(); ++i) {
    const double before = (seconds.back() - seconds[i]) / step_seconds;
    const auto step = static_cast<size_t>(before);
    if (step >= steps) continue;
    sums[steps - 1 - step] += history.values[i];
    ++counts[steps - 1 - step];
  }
  for (size_t i = 0; i < steps; ++i) {
    if (counts[i] == 0) return std::nullopt;
    sums[i] /= counts[i];
  }
  return sums;
}

MachineOutlook look_ahead(const MachineHistory& history, int64_t now_ms) {
  MachineOutlook outlook;
  outlook.leak = find_leak(seconds_since_first(history.resident_bytes), history.resident_bytes.values);

  // Used up from below: what is gone of the most that was free.
  const History& disk = history.disk_free_bytes;
  std::vector<double> used;
  used.reserve(disk.values.size());
  for (const double free : disk.values) used.push_back(-free);
  outlook.disk_full = time_to_limit(seconds_since_first(disk), used, 0);
  if (const auto hours = regular_means(disk, kHourSeconds)) {
    const size_t ahead = std::min(kMostHoursAhead, hours->size() / kValuesPerStepAhead);
    if (ahead > 0) outlook.disk_free_bytes = forecast(*hours, kHourSeconds, ahead);
  }
  outlook.queue_seconds =
      forecast_queue_wait(seconds_since(history.queue_seconds, now_ms), history.queue_seconds.values, 0);
  return outlook;
}

History read_queue_history(Database& database, int64_t from_ms, int64_t to_ms) {
  History history;
  database.read([&](Sql& sql) {
    // By their ends, of which there is an index: a run is over long before the window is.
    for (SqlRow& row : sql.rows("SELECT created_ms, queue_seconds FROM run_record WHERE finished_ms >= ? AND "
                                "finished_ms < ? AND cached = 0 AND queue_seconds IS NOT NULL "
                                "ORDER BY finished_ms DESC LIMIT ?",
                                2, {from_ms, to_ms, kMostWaits})) {
      const int64_t created_ms = row.integer();
      const double seconds = row.real();
      history.times_ms.push_back(created_ms + static_cast<int64_t>(std::llround(seconds * 1000)));
      history.values.push_back(seconds);
    }
  });
  std::vector<size_t> order(history.times_ms.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return history.times_ms[a] < history.times_ms[b]; });
  History sorted;
  for (const size_t i : order) {
    sorted.times_ms.push_back(history.times_ms[i]);
    sorted.values.push_back(history.values[i]);
  }
  return sorted;
}

}  // namespace snug
