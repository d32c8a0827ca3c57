// The durable history of samples, in the service's database (tables sample and sample_layout): each sample
// for a day, then a summary of each minute, hour and day with mean, least, most and count of every field.
// Written by sample_writer.h, read by whatever shows a history.
//
// write() is one transaction: the samples, the summaries of the minutes, hours and days that they fall in,
// and the removal of what is too old. A summary is made anew from the rows below it each time, minutes from
// samples, hours from minutes, days from hours: so it is right after a crash, the same when samples are
// written twice, and does not gather rounding errors. When the clock is set back, samples go where the clock
// says; two of one millisecond are one. A minute whose samples have gone meanwhile is replaced by what was
// measured in it last.
//
// history() takes the finest of the four that reaches back far enough and has at most kMostHistoryRows rows
// in the time asked for; that bounds how long it takes. Single cores and single cards are not kept here, only
// the fields of sample_fields.h.
//
// Threads: all methods may be called from any; the database outlives it. All throw Error, as Database does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "jobs/database.h"
#include "monitor/samples/sample.h"
#include "monitor/samples/sample_rows.h"

namespace snug {

inline constexpr int64_t kMostHistoryRows = 2000;

enum class Resolution : uint8_t { kSample, kMinute, kHour, kDay };
inline constexpr size_t kResolutionCount = 4;
// "sample", "minute", "hour", "day".
std::string resolution_name(Resolution resolution);

// Configured: for how long rows are kept. What is finer is not kept longer than what is coarser.
struct SampleKeeping {
  int64_t samples_days = 1, minutes_days = 30, hours_days = 400, days_days = 400;
};
// The setting keep_samples_days: of hours and days; samples and minutes stay within their defaults.
SampleKeeping keeping_for(int64_t days);

struct HistoryQuery {
  int64_t from_ms = 0, to_ms = 0;  // since 1970; from is in it, to is not
  int64_t most_points = 500;
  std::vector<SampleField> fields;  // empty: all
};

struct SampleHistory {
  Resolution resolution = Resolution::kSample;  // of the rows that were read
  int64_t step_ms = 0;                          // each point stands for so much time
  std::vector<SampleSummary> points;            // in order; times without samples are left out
};

class SampleStore {
 public:
  explicit SampleStore(Database& database, SampleKeeping keeping = {});

  void write(const std::vector<Sample>& samples);
  // Throws invalid_argument for an empty time or no points.
  SampleHistory history(const HistoryQuery& query);
  int64_t rows(Resolution resolution);

 private:
  int64_t layout_id(Sql& sql);
  SampleLayout layout(Sql& sql, int64_t id);
  void insert(Sql& sql, int64_t layout, const std::vector<Sample>& samples);
  void roll_up(Sql& sql, int64_t own_layout, Resolution into, int64_t start_ms);
  void expire(Sql& sql);
  Resolution resolution_for(Sql& sql, const HistoryQuery& query);
  std::vector<SampleSummary> read(Sql& sql, Resolution resolution, int64_t from_ms, int64_t to_ms,
                                  int64_t step_ms, const std::array<bool, kSampleFieldCount>& wanted);

  Database& database_;
  const SampleKeeping keeping_;
  std::mutex mutex_;
  std::unordered_map<int64_t, SampleLayout> layouts_;  // guarded by mutex_; rows of it never change
};

}  // namespace snug
