// The history of like runs as series: one for each model, size and machine, and for all else that makes runs
// take different times (steps, sampler, precision, batch, threads, whether the weights were in memory).
// Called by trends.h, which looks for what changes in them.
//
// Only runs that came to their end are in a series. Times are milliseconds since 1970, UTC. Reading throws
// what Database does. Pure otherwise; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "jobs/database.h"
#include "jobs/run_record.h"

namespace snug {

struct SeriesKey {
  std::string model, machine, kind, sampler, precision;
  int64_t width = 0, height = 0, frames = 1, steps = 0, batch = 1, threads = 0;
  bool kept = false;

  auto as_tuple() const {
    return std::tie(model, machine, kind, sampler, precision, width, height, frames, steps, batch, threads,
                    kept);
  }
  bool operator<(const SeriesKey& other) const { return as_tuple() < other.as_tuple(); }
};

// What is watched of each run.
enum class SeriesMetric : uint8_t {
  kGenerationSeconds,  // of the run itself: total less queue, earlier attempts and waiting for other runs
  kPeakBytes,          // of the process
  kPlanRatio,          // seconds of the phases / predicted: how far the plan was off
};
inline constexpr size_t kSeriesMetrics = 3;
std::string_view series_metric_name(SeriesMetric metric);  // with its unit: "generation_seconds"
std::string_view series_metric_unit(SeriesMetric metric);

struct SeriesPoint {
  std::string id;  // of the record
  int64_t finished_ms = 0;
  std::array<std::optional<double>, kSeriesMetrics> values;
};

struct RunSeries {
  SeriesKey key;
  std::vector<SeriesPoint> points;  // by time, the oldest first
};

// Of records in any order; those that are no whole runs are left out. The longest series first.
std::vector<RunSeries> make_run_series(const std::vector<RunRecord>& records);

// Of jobs that ended in [from_ms, to_ms): the newest `most` of them.
inline constexpr int64_t kMostSeriesRuns = 2000;  // some 50 ms to read
std::vector<RunSeries> read_run_series(Database& database, int64_t from_ms, int64_t to_ms,
                                       int64_t most = kMostSeriesRuns);

}  // namespace snug
