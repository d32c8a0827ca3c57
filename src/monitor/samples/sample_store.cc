#include "monitor/samples/sample_store.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

constexpr int64_t kSecondMs = 1000, kMinuteMs = 60 * kSecondMs, kHourMs = 60 * kMinuteMs,
                  kDayMs = 24 * kHourMs;
// The width of a row, which is also its name in the table; of a sample 0.
constexpr std::array<int64_t, kResolutionCount> kWidthsMs = {0, kMinuteMs, kHourMs, kDayMs};
constexpr size_t kRowsAnInsert = 100;

int64_t width_ms(Resolution resolution) { return kWidthsMs.at(static_cast<size_t>(resolution)); }

int64_t floor_to(int64_t time_ms, int64_t width) {
  if (width <= 0) return time_ms;
  const int64_t rest = ((time_ms % width) + width) % width;
  return time_ms - rest;
}

constexpr std::array<bool, kSampleFieldCount> all_fields() {
  std::array<bool, kSampleFieldCount> all = {};
  for (bool& one : all) one = true;
  return all;
}

Error broken_row() {
  return {ErrorCode::kStoreError, "a row of samples in the database is not as Snug writes it",
          "bring back a backup, or delete the rows of table sample"};
}

}  // namespace

std::string resolution_name(Resolution resolution) {
  constexpr std::array<const char*, kResolutionCount> kNames = {"sample", "minute", "hour", "day"};
  return kNames.at(static_cast<size_t>(resolution));
}

SampleKeeping keeping_for(int64_t days) {
  SampleKeeping keeping;
  keeping.hours_days = keeping.days_days = std::max<int64_t>(days, 1);
  keeping.minutes_days = std::min(keeping.minutes_days, keeping.hours_days);
  keeping.samples_days = std::min(keeping.samples_days, keeping.hours_days);
  return keeping;
}

SampleStore::SampleStore(Database& database, SampleKeeping keeping)
    : database_(database), keeping_(keeping) {}

int64_t SampleStore::layout_id(Sql& sql) {
  const std::string names = layout_names();
  if (auto row = sql.row("SELECT id FROM sample_layout WHERE names = ?", 1, {names})) return row->integer();
  const int64_t id = sql.integer("SELECT MAX(id) FROM sample_layout") + 1;
  sql.run("INSERT INTO sample_layout (id, names) VALUES (?, ?)", {id, names});
  return id;
}

SampleLayout SampleStore::layout(Sql& sql, int64_t id) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto known = layouts_.find(id); known != layouts_.end()) return known->second;
  }
  auto row = sql.row("SELECT names FROM sample_layout WHERE id = ?", 1, {id});
  if (!row) throw broken_row();
  SampleLayout layout = layout_of(row->text());
  const std::scoped_lock lock(mutex_);
  // One of a transaction that is rolled back may stay: the next write makes the same again.
  layouts_.emplace(id, layout);
  return layout;
}

void SampleStore::write(const std::vector<Sample>& samples) {
  if (samples.empty()) return;
  std::array<std::set<int64_t>, kResolutionCount> starts;
  for (const Sample& sample : samples) {
    for (size_t i = 1; i < kResolutionCount; ++i) {
      starts[i].insert(floor_to(sample.time_ms, kWidthsMs[i]));
    }
  }
  database_.write([&](Sql& sql) {
    const int64_t layout = layout_id(sql);
    insert(sql, layout, samples);
    for (size_t i = 1; i < kResolutionCount; ++i) {
      for (const int64_t start_ms : starts[i]) roll_up(sql, layout, static_cast<Resolution>(i), start_ms);
    }
    expire(sql);
  });
}

void SampleStore::insert(Sql& sql, int64_t layout, const std::vector<Sample>& samples) {
  for (size_t first = 0; first < samples.size(); first += kRowsAnInsert) {
    const size_t end = std::min(samples.size(), first + kRowsAnInsert);
    std::string statement = "INSERT INTO sample (resolution, start_ms, samples, layout, figures) VALUES ";
    std::vector<SqlValue> values;
    for (size_t i = first; i < end; ++i) {
      statement += i == first ? "(0, ?, 1, ?, ?)" : ", (0, ?, 1, ?, ?)";
      values.emplace_back(samples[i].time_ms);
      values.emplace_back(layout);
      values.emplace_back(row_text(summary_of(samples[i])));
    }
    sql.run(statement + " ON CONFLICT (resolution, start_ms) DO NOTHING", values);
  }
}

void SampleStore::roll_up(Sql& sql, int64_t own_layout, Resolution into, int64_t start_ms) {
  const auto below = static_cast<Resolution>(static_cast<size_t>(into) - 1);
  const int64_t width = width_ms(into);
  const std::vector<SampleSummary> parts = read(sql, below, start_ms, start_ms + width, width, all_fields());
  if (parts.empty()) return;
  const SampleSummary& summary = parts.front();
  sql.run(
      "INSERT INTO sample (resolution, start_ms, samples, layout, figures) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT (resolution, start_ms) DO UPDATE SET samples = excluded.samples, "
      "layout = excluded.layout, figures = excluded.figures",
      {width, start_ms, summary.samples, own_layout, row_text(summary)});
}

void SampleStore::expire(Sql& sql) {
  const std::array<int64_t, kResolutionCount> days = {keeping_.samples_days, keeping_.minutes_days,
                                                      keeping_.hours_days, keeping_.days_days};
  const int64_t now = database_.now_ms();
  for (size_t i = 0; i < kResolutionCount; ++i) {
    sql.run("DELETE FROM sample WHERE resolution = ? AND start_ms < ?",
            {kWidthsMs[i], now - days[i] * kDayMs - kWidthsMs[i]});
  }
}

std::vector<SampleSummary> SampleStore::read(Sql& sql, Resolution resolution, int64_t from_ms, int64_t to_ms,
                                             int64_t step_ms,
                                             const std::array<bool, kSampleFieldCount>& wanted) {
  std::vector<SampleSummary> points;
  int64_t known_id = std::numeric_limits<int64_t>::min();
  SampleLayout known;
  for (SqlRow& row : sql.rows("SELECT start_ms, samples, layout, figures FROM sample "
                              "WHERE resolution = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms",
                              4, {width_ms(resolution), from_ms, to_ms})) {
    const int64_t start_ms = row.integer(), samples = row.integer(), id = row.integer();
    if (id != known_id) {
      known = layout(sql, id);
      known_id = id;
    }
    const int64_t point_ms = from_ms + floor_to(start_ms - from_ms, step_ms);
    if (points.empty() || points.back().start_ms != point_ms) {
      points.emplace_back();
      points.back().start_ms = point_ms;
    }
    if (samples < 1 || !add_row(row.text(), known, samples, wanted, points.back())) throw broken_row();
  }
  return points;
}

Resolution SampleStore::resolution_for(Sql& sql, const HistoryQuery& query) {
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  std::array<int64_t, kResolutionCount> oldest = {};
  for (size_t i = 0; i < kResolutionCount; ++i) {
    auto row = sql.row("SELECT MIN(start_ms) FROM sample WHERE resolution = ?", 1, {kWidthsMs[i]});
    oldest[i] = row ? row->maybe_integer().value_or(kNever) : kNever;
  }
  for (size_t i = 0; i + 1 < kResolutionCount; ++i) {
    // It reaches back to the time asked for, or nothing older has gone from it yet.
    const bool reaches = oldest[i] <= query.from_ms ||
                         (oldest[i + 1] != kNever && oldest[i] < oldest[i + 1] + kWidthsMs[i + 1]);
    if (!reaches) continue;
    const int64_t rows = sql.integer(
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM sample WHERE resolution = ? AND start_ms >= ? AND "
        "start_ms < ? LIMIT ?) AS some",
        {kWidthsMs[i], floor_to(query.from_ms, kWidthsMs[i]), query.to_ms, kMostHistoryRows + 1});
    if (rows <= kMostHistoryRows) return static_cast<Resolution>(i);
  }
  return Resolution::kDay;
}

SampleHistory SampleStore::history(const HistoryQuery& query) {
  if (query.to_ms <= query.from_ms || query.most_points < 1) {
    throw Error(ErrorCode::kInvalidArgument, "a history needs a time that ends after it begins, and points",
                "give a later end and at least one point");
  }
  std::array<bool, kSampleFieldCount> wanted = {};
  for (const SampleField field : query.fields) wanted[static_cast<size_t>(field)] = true;
  if (query.fields.empty()) wanted = all_fields();
  return database_.read([&](Sql& sql) {
    SampleHistory history;
    history.resolution = resolution_for(sql, query);
    const int64_t width = std::max<int64_t>(width_ms(history.resolution), 1);
    const int64_t from_ms = floor_to(query.from_ms, width);
    const int64_t span_ms = query.to_ms - from_ms;
    const int64_t least_step_ms = (span_ms + query.most_points - 1) / query.most_points;
    history.step_ms = (least_step_ms + width - 1) / width * width;
    history.points = read(sql, history.resolution, from_ms, query.to_ms, history.step_ms, wanted);
    return history;
  });
}

int64_t SampleStore::rows(Resolution resolution) {
  return database_.read([&](Sql& sql) {
    return sql.integer("SELECT COUNT(*) FROM sample WHERE resolution = ?", {width_ms(resolution)});
  });
}

}  // namespace snug
