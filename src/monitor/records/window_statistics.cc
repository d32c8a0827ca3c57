#include "monitor/records/window_statistics.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace snug {
namespace {

constexpr int64_t kHourMs = 3'600'000;

struct StageColumn {
  std::string_view stage;
  std::optional<double> RunRecord::*seconds;
};
constexpr std::array kStageColumns = {
    StageColumn{"queue", &RunRecord::queue_seconds},
    StageColumn{"earlier", &RunRecord::earlier_seconds},
    StageColumn{"plan", &RunRecord::plan_seconds},
    StageColumn{"load", &RunRecord::load_seconds},
    StageColumn{"encode", &RunRecord::encode_seconds},
    StageColumn{"denoise", &RunRecord::denoise_seconds},
    StageColumn{"decode", &RunRecord::decode_seconds},
    StageColumn{"write", &RunRecord::write_seconds},
    StageColumn{"keep", &RunRecord::keep_seconds},
    StageColumn{"turn_wait", &RunRecord::turn_wait_seconds},
    StageColumn{"unfinished", &RunRecord::unfinished_seconds},
};

constexpr auto kStages = [] {
  std::array<std::string_view, kStageColumns.size()> names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = kStageColumns[i].stage;
  return names;
}();

std::optional<double> ratio_of(int64_t part, int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

void count(EndCounts& counts, const WindowRow& row) {
  if (row.state == "failed") {
    ++counts.failed;
  } else if (row.state == "cancelled") {
    ++counts.cancelled;
  } else {
    ++counts.done;
    counts.cached += row.cached ? 1 : 0;
    counts.kept += row.kept && !row.cached ? 1 : 0;
    counts.pictures += row.pictures;
  }
}

void compare(PlanError& error, double predicted, double actual) {
  if (!(predicted > 0) || !std::isfinite(actual)) return;
  const double ratio = actual / predicted;
  error.ratio.add(ratio);
  error.error.add(std::abs(ratio - 1));
}

std::string stage_column(std::string_view stage) { return std::string(stage) + "_seconds"; }

}  // namespace

std::span<const std::string_view> window_stages() { return kStages; }

std::optional<double> EndCounts::success_rate() const { return ratio_of(done, done + failed); }
std::optional<double> EndCounts::cache_rate() const { return ratio_of(cached, done); }
std::optional<double> EndCounts::kept_rate() const { return ratio_of(kept, runs()); }

WindowRow window_row(const RunRecord& record) {
  WindowRow row;
  row.finished_ms = record.finished_ms.value_or(0);
  row.state = record.state;
  row.model = record.model;
  row.error_code = record.error_code;
  row.width = record.width;
  row.height = record.height;
  row.pictures = record.pictures;
  row.cached = record.cached;
  row.kept = record.kept;
  row.total_seconds = record.total_seconds;
  row.queue_seconds = record.queue_seconds;
  for (size_t i = 0; i < row.stage_seconds.size(); ++i)
    row.stage_seconds[i] = record.*kStageColumns[i + 1].seconds;
  row.predicted_seconds = record.predicted_seconds;
  row.phases_seconds = record.phases_seconds;
  row.planned_peak_bytes = record.planned_peak_bytes;
  row.peak_bytes = record.peak_bytes;
  return row;
}

WindowStatistics::WindowStatistics(int64_t from_ms, int64_t to_ms, size_t most_exact)
    : from_ms_(from_ms),
      to_ms_(to_ms),
      most_exact_(most_exact),
      total_(most_exact),
      generation_(most_exact),
      queue_(most_exact),
      seconds_error_{Distribution(most_exact), Distribution(most_exact)},
      peak_error_{Distribution(most_exact), Distribution(most_exact)} {
  for (const std::string_view stage : kStages)
    stages_.push_back({stage, 0, std::nullopt, Distribution(most_exact)});
  for (int64_t hour = from_ms / kHourMs * kHourMs; hour < to_ms; hour += kHourMs) {
    hours_.emplace_back();
    hours_.back().hour_ms = hour;
  }
}

void WindowStatistics::add(const WindowRow& row) {
  const bool ended = row.state == "done" || row.state == "failed" || row.state == "cancelled";
  if (!ended || row.finished_ms < from_ms_ || row.finished_ms >= to_ms_) return;
  HourStatistics& hour = hours_[static_cast<size_t>((row.finished_ms - hours_.front().hour_ms) / kHourMs)];
  const auto key = std::tuple(row.model, row.width, row.height);
  auto place = groups_.find(key);
  if (place == groups_.end()) {
    place =
        groups_.emplace(key, GroupStatistics{row.model, row.width, row.height, {}, Distribution(most_exact_)})
            .first;
  }
  count(counts_, row);
  count(hour.counts, row);
  count(place->second.counts, row);
  if (row.state == "failed") ++failures_[row.error_code];
  if (row.state == "done" && !row.cached) add_run(row, hour, place->second);
}

void WindowStatistics::add_run(const WindowRow& row, HourStatistics& hour, GroupStatistics& group) {
  if (row.queue_seconds) queue_.add(*row.queue_seconds);
  if (row.total_seconds) {
    const double generation = *row.total_seconds - row.queue_seconds.value_or(0);
    total_.add(*row.total_seconds);
    generation_.add(generation);
    group.generation.add(generation);
    hour.generation_seconds += generation;
    all_seconds_ += *row.total_seconds;
    for (size_t i = 0; i < stages_.size(); ++i) {
      const std::optional<double> seconds = i == 0 ? row.queue_seconds : row.stage_seconds[i - 1];
      if (!seconds) continue;
      stages_[i].seconds += *seconds;
      stages_[i].distribution.add(*seconds);
    }
  }
  if (row.predicted_seconds && row.phases_seconds)
    compare(seconds_error_, *row.predicted_seconds, *row.phases_seconds);
  if (row.planned_peak_bytes && row.peak_bytes)
    compare(peak_error_, static_cast<double>(*row.planned_peak_bytes), static_cast<double>(*row.peak_bytes));
}

std::vector<StageStatistics> WindowStatistics::stages() const {
  std::vector<StageStatistics> stages = stages_;
  for (StageStatistics& stage : stages)
    if (all_seconds_ > 0) stage.share = stage.seconds / all_seconds_;
  return stages;
}

std::vector<GroupStatistics> WindowStatistics::groups() const {
  std::vector<GroupStatistics> groups;
  groups.reserve(groups_.size());
  for (const auto& [key, group] : groups_) groups.push_back(group);
  std::stable_sort(groups.begin(), groups.end(), [](const GroupStatistics& a, const GroupStatistics& b) {
    return a.counts.ended() > b.counts.ended();
  });
  return groups;
}

std::vector<std::pair<std::string, int64_t>> WindowStatistics::failures() const {
  std::vector<std::pair<std::string, int64_t>> failures(failures_.begin(), failures_.end());
  std::stable_sort(failures.begin(), failures.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return failures;
}

WindowStatistics read_window_statistics(Database& database, const RecordQuery& query) {
  SNUG_CHECK(query.from_ms && query.to_ms, "a window has a beginning and an end");
  WindowStatistics statistics(*query.from_ms, *query.to_ms);
  // Only what is needed: each column of each row costs some 0.3 us as text.
  std::string columns =
      "finished_ms, state, model, error_code, width, height, pictures, cached, kept, total_seconds, "
      "predicted_seconds, phases_seconds, planned_peak_bytes, peak_bytes";
  for (const std::string_view stage : kStages) columns += ", " + stage_column(stage);
  const int count = 14 + static_cast<int>(kStages.size());
  database.read([&](Sql& sql) {
    std::vector<SqlValue> values;
    const std::string where = record_condition(query, values);
    for (SqlRow& row :
         sql.rows(fmt::format("SELECT {} FROM run_record WHERE {}", columns, where), count, values)) {
      WindowRow read;
      read.finished_ms = row.integer();
      read.state = row.text();
      read.model = row.text();
      read.error_code = row.text();
      read.width = row.integer();
      read.height = row.integer();
      read.pictures = row.integer();
      read.cached = row.truth();
      read.kept = row.truth();
      read.total_seconds = row.maybe_real();
      read.predicted_seconds = row.maybe_real();
      read.phases_seconds = row.maybe_real();
      read.planned_peak_bytes = row.maybe_integer();
      read.peak_bytes = row.maybe_integer();
      read.queue_seconds = row.maybe_real();
      for (std::optional<double>& seconds : read.stage_seconds) seconds = row.maybe_real();
      statistics.add(read);
    }
  });
  return statistics;
}

}  // namespace snug
