// What happened in a span of time, of the jobs that ended in it: how many, how long, of which models and
// sizes, how often from the cache, how far from the plan. Called by the API's pages, reports and advice, on
// records in the store (read_window_statistics) or in hand (add each).
//
// Which records count where: totals, hours and success all that ended; durations, stages and plan error those
// that ran to the end (done, and not from the cache), because the rest has no time of its own. Success rate
// is done of done + failed: who cancels judges nothing. Rates are null where nothing is to divide by.
//
// generation is total - queue: from the job's turn to its end. A stage's share is its seconds of all seconds
// of the same jobs; the stages of run_record.h add up to 1. Plan error compares what the phases took with
// their prediction, and the process's peak with the planned one: the median ratio (above 1: it took more),
// and the 90 % quantile of |ratio - 1|.
//
// Quantiles are exact up to Distribution::kMostExact runs in a window, of a t-digest beyond; "method" says
// which. Times are milliseconds since 1970, UTC. Values: one thread at a time. Reading throws what Database
// does.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "monitor/records/distribution.h"
#include "monitor/records/record_store.h"

namespace snug {

// What statistics need of a record.
struct WindowRow {
  int64_t finished_ms = 0;
  std::string state, model, error_code;
  int64_t width = 0, height = 0, pictures = 0;
  bool cached = false, kept = false;
  std::optional<double> total_seconds, queue_seconds;
  std::array<std::optional<double>, 10> stage_seconds;  // in the order of window_stages(), after the queue
  std::optional<double> predicted_seconds, phases_seconds;
  std::optional<int64_t> planned_peak_bytes, peak_bytes;
};
WindowRow window_row(const RunRecord& record);

// queue, earlier, plan, load, encode, denoise, decode, write, keep, turn_wait, unfinished.
std::span<const std::string_view> window_stages();

struct EndCounts {
  int64_t done = 0, failed = 0, cancelled = 0;
  int64_t cached = 0;    // of done: answered from the cache
  int64_t kept = 0;      // of done: the weights were in memory
  int64_t pictures = 0;  // of done

  int64_t ended() const { return done + failed + cancelled; }
  int64_t runs() const { return done - cached; }
  std::optional<double> success_rate() const;
  std::optional<double> cache_rate() const;  // cached of done
  std::optional<double> kept_rate() const;   // kept of runs
};

struct HourStatistics {
  int64_t hour_ms = 0;  // its beginning, UTC
  EndCounts counts;
  double generation_seconds = 0;  // sum over the runs
};

struct GroupStatistics {
  std::string model;
  int64_t width = 0, height = 0;
  EndCounts counts;
  Distribution generation;
};

struct StageStatistics {
  std::string_view stage;
  double seconds = 0;           // of all runs
  std::optional<double> share;  // of all their seconds
  Distribution distribution;    // of runs that had the stage
};

struct PlanError {
  Distribution ratio, error;  // actual / predicted, |ratio - 1|
};

class WindowStatistics {
 public:
  // Of records that ended in [from_ms, to_ms).
  WindowStatistics(int64_t from_ms, int64_t to_ms, size_t most_exact = Distribution::kMostExact);
  // Records outside, and those that have not ended, are left out.
  void add(const WindowRow& row);

  int64_t from_ms() const { return from_ms_; }
  int64_t to_ms() const { return to_ms_; }
  const EndCounts& counts() const { return counts_; }
  const Distribution& total() const { return total_; }
  const Distribution& generation() const { return generation_; }
  const Distribution& queue() const { return queue_; }
  std::vector<StageStatistics> stages() const;
  // Each hour that the window touches, also those without jobs.
  const std::vector<HourStatistics>& hours() const { return hours_; }
  // Most jobs first.
  std::vector<GroupStatistics> groups() const;
  const PlanError& seconds_error() const { return seconds_error_; }
  const PlanError& peak_error() const { return peak_error_; }
  // Failures by error code, most first.
  std::vector<std::pair<std::string, int64_t>> failures() const;

 private:
  void add_run(const WindowRow& row, HourStatistics& hour, GroupStatistics& group);

  int64_t from_ms_, to_ms_;
  size_t most_exact_;
  EndCounts counts_;
  Distribution total_, generation_, queue_;
  std::vector<StageStatistics> stages_;
  double all_seconds_ = 0;
  std::vector<HourStatistics> hours_;
  std::map<std::tuple<std::string, int64_t, int64_t>, GroupStatistics> groups_;
  PlanError seconds_error_, peak_error_;
  std::map<std::string, int64_t> failures_;
};

// `query`: which records; needs both times. Its limit, place and order mean nothing here.
WindowStatistics read_window_statistics(Database& database, const RecordQuery& query);

// Names end in their unit.
nlohmann::ordered_json to_json(const WindowStatistics& statistics);

}  // namespace snug
