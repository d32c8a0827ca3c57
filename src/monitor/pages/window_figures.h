// What happened in a window of time, in the shapes of the pages: counts by hour, durations, stages, how far
// from the plan. Made from WindowStatistics, which does the counting. Pure; called by Performance.
#pragma once

#include <span>

#include <nlohmann/json.hpp>

#include "jobs/run_record.h"
#include "monitor/pages/page_query.h"
#include "monitor/records/window_statistics.h"

namespace snug {

// {"per_hour": [{hour_ms, done, failed, cancelled, cached}], "totals": {...}, "success_rate", "cache_rate",
// "kept_rate", "failures": [{error_code, count}]}
nlohmann::ordered_json jobs_figures(const WindowStatistics& window);
// {"total", "generation", "queue": {count, mean_seconds, p50_seconds, ...}, "by_model": [...]}
nlohmann::ordered_json duration_figures(const WindowStatistics& window);
// [{stage, mean_seconds, share, ...}] of those that took any time.
nlohmann::ordered_json stage_figures(const WindowStatistics& window);
// {"seconds", "peak": {count, median_ratio, p90_abs_error}}
nlohmann::ordered_json plan_error_figures(const WindowStatistics& window);
// [{id, finished_ms, predicted_seconds, seconds, planned_peak_bytes, peak_bytes}], oldest first, of runs to
// the end; ids of others' jobs are null.
nlohmann::ordered_json plan_error_points(std::span<const RunRecord> newest_first, const Viewer& viewer);
// Of the newest run that told of its memory: {"last_run", "peak_kinds", ...}; all null without one. The
// records have their detail.
nlohmann::ordered_json memory_figures(std::span<const RunRecord> newest_first, const Viewer& viewer);

}  // namespace snug
