// What held back the runs of a span of time: the findings about each, added up by kind. Called by the API's
// pages, reports and advice; from the table that run_analyst.h fills, or from records in hand.
//
// A kind's share is its seconds in all runs of the time of all these jobs, so one slow job of an hour counts
// for more than ten of a second. Severity and order are those of one run (bottleneck.h, bottlenecks.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/database.h"
#include "jobs/run_record.h"
#include "monitor/analysis/bottlenecks.h"

namespace snug {

struct WorstRun {
  std::string id;
  double share = 0, seconds = 0;
  std::string description;
};

// NOLINTNEXTLINE(bugprone-exception-escape): as Bottleneck
struct WindowBottleneck {
  Bottleneck total;             // seconds and share of all; its recommendation is that of the worst run
  int64_t runs = 0;             // in which it was found
  std::vector<WorstRun> worst;  // by seconds, three at most
};

struct WindowBottlenecks {
  int64_t analysed = 0;      // jobs that ran to an end and were looked at
  int64_t not_analysed = 0;  // that ended, and the analyst has not come to them
  double total_seconds = 0;  // of those analysed
  std::vector<WindowBottleneck> found;
};

// Analyses each; those from the cache are left out.
WindowBottlenecks window_bottlenecks(const std::vector<RunRecord>& records, const MachinePeaks& peaks);

// Of jobs that ended in [from_ms, to_ms), from the tables. Throws what Database does. Any thread.
WindowBottlenecks read_window_bottlenecks(Database& database, int64_t from_ms, int64_t to_ms);

// [{"kind", "severity", "share", "seconds", "runs", "description", "recommendation", "evidence":
// {"worst_runs", "analysed_runs", "total_seconds"}}], sorted.
nlohmann::ordered_json to_json(const WindowBottlenecks& window);

}  // namespace snug
