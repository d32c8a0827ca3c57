#include "monitor/analysis/run_series.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace snug {
namespace {

// Enough of a record for a point.
bool is_whole_run(const RunRecord& record) {
  return record.state == "done" && !record.cached && record.finished_ms && record.total_seconds;
}

SeriesKey key_of(const RunRecord& r) {
  return {r.model,  r.machine, r.kind,  r.sampler,           r.precision,           r.width,
          r.height, r.frames,  r.steps, r.batch.value_or(1), r.threads.value_or(0), r.kept};
}

SeriesPoint point_of(const RunRecord& r) {
  SeriesPoint point;
  point.id = r.id;
  point.finished_ms = *r.finished_ms;
  const double generation = *r.total_seconds - r.queue_seconds.value_or(0) - r.earlier_seconds.value_or(0) -
                            r.turn_wait_seconds.value_or(0);
  if (std::isfinite(generation) && generation > 0) point.values[0] = generation;
  if (r.peak_bytes && *r.peak_bytes > 0) point.values[1] = static_cast<double>(*r.peak_bytes);
  if (r.phases_seconds && r.predicted_seconds.value_or(0) > 0 && std::isfinite(*r.phases_seconds))
    point.values[2] = *r.phases_seconds / *r.predicted_seconds;
  return point;
}

std::vector<RunSeries> sorted(std::map<SeriesKey, std::vector<SeriesPoint>>&& groups) {
  std::vector<RunSeries> all;
  all.reserve(groups.size());
  for (auto& [key, points] : groups) {
    std::stable_sort(points.begin(), points.end(), [](const SeriesPoint& a, const SeriesPoint& b) {
      return std::tie(a.finished_ms, a.id) < std::tie(b.finished_ms, b.id);
    });
    all.push_back({key, std::move(points)});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const RunSeries& a, const RunSeries& b) { return a.points.size() > b.points.size(); });
  return all;
}

RunRecord read_row(SqlRow& row) {
  RunRecord r;
  r.id = row.text();
  r.finished_ms = row.integer();
  r.state = "done";
  r.model = row.text();
  r.machine = row.text();
  r.kind = row.text();
  r.sampler = row.text();
  r.precision = row.text();
  r.width = row.integer();
  r.height = row.integer();
  r.frames = row.integer();
  r.steps = row.integer();
  r.batch = row.maybe_integer();
  r.threads = row.maybe_integer();
  r.kept = row.truth();
  r.total_seconds = row.maybe_real();
  r.queue_seconds = row.maybe_real();
  r.earlier_seconds = row.maybe_real();
  r.turn_wait_seconds = row.maybe_real();
  r.peak_bytes = row.maybe_integer();
  r.phases_seconds = row.maybe_real();
  r.predicted_seconds = row.maybe_real();
  return r;
}

}  // namespace

std::string_view series_metric_name(SeriesMetric metric) {
  constexpr std::array<std::string_view, kSeriesMetrics> kNames = {"generation_seconds", "peak_bytes",
                                                                   "plan_ratio"};
  return kNames.at(static_cast<size_t>(metric));
}

std::string_view series_metric_unit(SeriesMetric metric) {
  constexpr std::array<std::string_view, kSeriesMetrics> kUnits = {"seconds", "bytes", "1"};
  return kUnits.at(static_cast<size_t>(metric));
}

std::vector<RunSeries> make_run_series(const std::vector<RunRecord>& records) {
  std::map<SeriesKey, std::vector<SeriesPoint>> groups;
  for (const RunRecord& record : records)
    if (is_whole_run(record)) groups[key_of(record)].push_back(point_of(record));
  return sorted(std::move(groups));
}

std::vector<RunSeries> read_run_series(Database& database, int64_t from_ms, int64_t to_ms, int64_t most) {
  std::map<SeriesKey, std::vector<SeriesPoint>> groups;
  database.read([&](Sql& sql) {
    for (SqlRow& row :
         sql.rows("SELECT id, finished_ms, model, machine, kind, sampler, precision, width, height, "
                  "frames, steps, batch, threads, kept, total_seconds, queue_seconds, "
                  "earlier_seconds, turn_wait_seconds, peak_bytes, phases_seconds, "
                  "predicted_seconds FROM run_record WHERE finished_ms >= ? AND finished_ms < ? "
                  "AND state = 'done' AND cached = 0 AND total_seconds IS NOT NULL "
                  "ORDER BY finished_ms DESC LIMIT ?",
                  21, {from_ms, to_ms, most})) {
      const RunRecord record = read_row(row);
      groups[key_of(record)].push_back(point_of(record));
    }
  });
  return sorted(std::move(groups));
}

}  // namespace snug
