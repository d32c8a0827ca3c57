// Trends of real runs of the embedded model: what is the same raises no alarm, what is planted is found.
#include <algorithm>

#include <gtest/gtest.h>

#include "monitor/analysis/real_run_fixture.h"
#include "monitor/analysis/series_findings.h"
#include "monitor/statistics/repeatable_random.h"
#include "pipeline/kept_run.h"

namespace snug {
namespace {

using testing::record_of;
using testing::small_request;

constexpr int64_t kStartMs = 1'795'305'600'000;
constexpr size_t kRuns = 48;

// Runs after each other, a minute apart for who looks at them; `steps` of each, which its record does not
// tell.
std::vector<RunRecord> real_runs(const std::vector<int64_t>& steps) {
  std::vector<RunRecord> records;
  std::map<int64_t, KeptRun> kept;
  GenerateOptions options;
  options.model = open_model({});
  for (const int64_t count : {2, 6}) {  // the first loads, the next is not yet warm
    for (int i = 0; i < 3; ++i) {
      options.kept = &kept[count];
      RequestFields fields = small_request(count);
      fields.keep_weights = true;
      generate(fields, options);
    }
  }
  for (const int64_t count : steps) {
    options.kept = &kept[count];
    RequestFields fields = small_request(count);
    fields.keep_weights = true;
    RunRecord record = record_of(generate(fields, options).report);
    record.id = std::to_string(records.size());
    record.steps = 2;
    record.finished_ms = kStartMs + static_cast<int64_t>(records.size()) * 60'000;
    record.peak_bytes.reset();         // of this test's process, which does other things as well
    record.predicted_seconds.reset();  // of the steps that the record does not tell
    records.push_back(std::move(record));
  }
  return records;
}

bool raises_alarm(const std::vector<RunRecord>& records) {
  const SeriesFindings findings = find_in_series(make_run_series(records));
  EXPECT_EQ(findings.looked_at, 1U);
  for (const SeriesFinding& finding : findings.found) {
    for (const Shift& shift : finding.shifts)
      std::printf("  shift at run %zu: %.3f s to %.3f s, p %.2g\n", shift.change.index,
                  shift.change.level_before, shift.change.level_after, shift.change.p_value);
    if (finding.trend)
      std::printf("  trend by %.0f %%, p %.2g\n", 100 * finding.trend_relative, finding.trend->p_value);
  }
  return std::any_of(findings.found.begin(), findings.found.end(),
                     [](const SeriesFinding& finding) { return finding.alarm(); });
}

// The machine may have got another load while they ran, which is an alarm as it should be: not three times.
TEST(RealTrendsTest, RunsThatAreTheSameRaiseNoAlarm) {
  int alarms = 0;
  std::vector<RunRecord> records;
  for (int trial = 0; trial < 3; ++trial) {
    records = real_runs(std::vector<int64_t>(kRuns, 2));
    if (!raises_alarm(records)) break;
    ++alarms;
  }
  EXPECT_LT(alarms, 3);
  // The same times in random order, in which there is nothing but their own scatter.
  RepeatableRandom random(1);
  int shuffled_alarms = 0;
  constexpr int kOrders = 200;
  for (int order = 0; order < kOrders; ++order) {
    for (size_t i = records.size() - 1; i > 0; --i)
      std::swap(records[i].total_seconds, records[random.below(i + 1)].total_seconds);
    shuffled_alarms += raises_alarm(records) ? 1 : 0;
  }
  std::printf("  %d alarms of %d orders of %zu real runs; %d in the order in which they ran\n",
              shuffled_alarms, kOrders, kRuns, alarms);
  EXPECT_LT(shuffled_alarms, 0.05 * kOrders);
}

TEST(RealTrendsTest, RunsThatBecomeSlowerAreFound) {
  int found = 0;
  for (int trial = 0; trial < 3 && found == 0; ++trial) {
    std::vector<int64_t> steps(kRuns, 2);
    std::fill(steps.begin() + kRuns / 2, steps.end(), 6);
    found += raises_alarm(real_runs(steps)) ? 1 : 0;
  }
  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace snug
