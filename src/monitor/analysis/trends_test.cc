#include "monitor/analysis/trends.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "jobs/run_record_rows.h"
#include "jobs/store_fixture.h"
#include "monitor/records/history_fixture.h"
#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

using testing::Noise;

constexpr int64_t kStartMs = 1'795'305'600'000, kMinuteMs = 60'000;

// A history of three series of runs, taking turns, minutes apart. Noise is 3 % of each number, at times of
// the kind in which a run's neighbours are like it, at times with far values.
struct Simulated {
  std::vector<RunRecord> records;

  Simulated(uint64_t seed, size_t runs_each) {
    RepeatableRandom random(seed);
    const Noise noise = testing::kNoises[seed % testing::kNoises.size()];
    for (int series = 0; series < 3; ++series) {
      const auto times = testing::noise_series(noise, random, runs_each);
      const auto peaks = testing::noise_series(noise, random, runs_each);
      for (size_t i = 0; i < runs_each; ++i) {
        RunRecord& record = records.emplace_back();
        record.id = std::to_string(series) + "-" + std::to_string(i);
        record.state = "done";
        record.model = "model";
        record.machine = "machine";
        record.width = record.height = 256 << series;
        record.steps = 20;
        record.threads = 4;
        record.finished_ms = kStartMs + static_cast<int64_t>(3 * i + static_cast<size_t>(series)) * kMinuteMs;
        record.queue_seconds = 5 * random.uniform();
        record.earlier_seconds = record.turn_wait_seconds = 0;
        const double seconds = (4 << series) * std::max(0.1, 1 + 0.03 * times[i]);
        record.total_seconds = seconds + *record.queue_seconds;
        record.predicted_seconds = 0.9 * (4 << series);
        record.phases_seconds = 0.95 * seconds;
        record.peak_bytes = static_cast<int64_t>((1e9 + 1e9 * series) * std::max(0.1, 1 + 0.03 * peaks[i]));
      }
    }
  }
  // Multiplies a run's own time, from one on.
  void slow_down(int64_t width, size_t first, const std::function<double(size_t)>& factor) {
    size_t number = 0;
    for (RunRecord& record : records) {
      if (record.width != width) continue;
      if (number >= first) {
        const double own = *record.total_seconds - *record.queue_seconds;
        record.total_seconds = *record.queue_seconds + own * factor(number - first);
      }
      ++number;
    }
  }
};

SeriesFindings findings_of(const Simulated& simulated) {
  return find_in_series(make_run_series(simulated.records));
}

const SeriesFinding* finding_of(const SeriesFindings& findings, int64_t width) {
  for (const SeriesFinding& finding : findings.found) {
    if (finding.key.width == width && finding.metric == SeriesMetric::kGenerationSeconds) return &finding;
  }
  return nullptr;
}

TEST(TrendsTest, RaiseFewerThanFiveOfAHundredFalseAlarms) {
  int alarms = 0, findings = 0, listed = 0;
  constexpr int kHistories = 400;
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    bool alarm = false, found = false;
    for (const SeriesFinding& finding : findings_of({seed, 40 + seed % 120}).found) {
      alarm |= finding.alarm();
      found |= finding.trend.has_value() || !finding.shifts.empty();
      listed += finding.far.empty() ? 0 : 1;
    }
    alarms += alarm ? 1 : 0;
    findings += found ? 1 : 0;
  }
  std::printf(
      "  of %d histories without any change: %d with a trend or shift, %d with an alarm; outliers in %d "
      "of %d series\n",
      kHistories, findings, alarms, listed, 9 * kHistories);
  EXPECT_LT(findings, 0.05 * kHistories);
  EXPECT_LT(listed, 0.05 * 9 * kHistories);
}

TEST(TrendsTest, FindAPlantedShiftAndWhenItWas) {
  int found = 0, in_time = 0;
  constexpr int kHistories = 100;
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    Simulated simulated(1000 + seed, 120);
    simulated.slow_down(512, 70, [](size_t) { return 1.25; });
    const SeriesFindings findings = findings_of(simulated);
    const SeriesFinding* finding = finding_of(findings, 512);
    if (finding == nullptr || finding->shifts.empty()) continue;
    ++found;
    EXPECT_TRUE(finding->alarm());
    const Shift& shift = finding->shifts.back();
    const double runs_off = static_cast<double>(shift.since_ms - kStartMs) / (3.0 * kMinuteMs) - 70;
    if (std::abs(runs_off) <= 4 && std::abs(shift.relative - 0.25) < 0.06) ++in_time;
  }
  std::printf("  of %d shifts by 25 %%: %d found, %d of them within four runs and 6 %%\n", kHistories, found,
              in_time);
  EXPECT_GE(found, 95);
  EXPECT_GE(in_time, 85);
}

TEST(TrendsTest, FindAPlantedRiseAndNoAlarmInAFall) {
  int rises = 0, falls = 0;
  constexpr int kHistories = 60;
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    Simulated rise(2000 + seed, 120), fall(3000 + seed, 120);
    rise.slow_down(512, 0, [](size_t run) { return 1 + 0.3 * static_cast<double>(run) / 120; });
    fall.slow_down(512, 0, [](size_t run) { return 1 - 0.3 * static_cast<double>(run) / 120; });
    const SeriesFindings rising = findings_of(rise), falling = findings_of(fall);
    const SeriesFinding *up = finding_of(rising, 512), *down = finding_of(falling, 512);
    rises += up != nullptr && up->alarm() ? 1 : 0;
    if (down == nullptr || (!down->trend && down->shifts.empty())) continue;
    ++falls;
    EXPECT_FALSE(down->alarm()) << seed;
  }
  EXPECT_GE(rises, 57);
  EXPECT_GE(falls, 57);
}

TEST(TrendsTest, ListTheRunThatIsFar) {
  Simulated simulated(0, 60);
  simulated.slow_down(256, 30, [](size_t run) { return run == 0 ? 3 : 1; });
  const SeriesFindings findings = findings_of(simulated);
  const SeriesFinding* finding = finding_of(findings, 256);
  ASSERT_NE(finding, nullptr);
  ASSERT_EQ(finding->far.size(), 1U);
  EXPECT_EQ(finding->far.front().id, "0-30");
  EXPECT_FALSE(finding->alarm());
}

TEST(TrendsTest, KeepRunsApartThatAreNotAlike) {
  Simulated simulated(3, 60);
  // Every other run has half the steps, or was cold: no series has a shift by that.
  for (size_t i = 0; i < simulated.records.size(); ++i) {
    RunRecord& record = simulated.records[i];
    if (i % 60 < 30) continue;
    record.steps = 40;
    record.total_seconds = 2 * *record.total_seconds;
  }
  for (const SeriesFinding& finding : findings_of(simulated).found) EXPECT_FALSE(finding.alarm());
  for (RunRecord& record : simulated.records) record.cached = true;
  EXPECT_EQ(make_run_series(simulated.records).size(), 0U);
}

class StoredTrendsTest : public StoreTest {};

// Of this thread, in which SQLite works too: what else the machine does is not in it.
double thread_cpu_seconds() {
  timespec time = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kMostSeconds = 2;
#else
constexpr double kMostSeconds = 0.2;
#endif

TEST_P(StoredTrendsTest, AnswerAtOnceHoweverLongTheHistoryIs) {
  constexpr int64_t kDayMs = 24 * 60 * kMinuteMs;
  testing::make_history(database(), {20'000, kStartMs, kStartMs + 73 * kDayMs, "machine"});
  double best = 1e9;  // of two: the first also reads the file
  for (int i = 0; i < 2; ++i) {
    const double before = thread_cpu_seconds();
    const Trends trends = read_trends(database(), kStartMs, kStartMs + 73 * kDayMs, {});
    EXPECT_GT(trends.series.looked_at, 20U);
    best = std::min(best, thread_cpu_seconds() - before);
  }
  std::printf("  trends of the newest %ld runs: %.1f ms of processor time\n",
              static_cast<long>(kMostSeriesRuns), best * 1e3);
  EXPECT_LT(best, kMostSeconds);
}

TEST_P(StoredTrendsTest, ReadWhatTheRecordsGiveAndTellItInSentences) {
  Simulated simulated(5, 80);
  simulated.slow_down(1024, 50, [](size_t) { return 1.5; });
  database().write([&](Sql& sql) {
    for (const RunRecord& record : simulated.records) insert_record(sql, record);
  });
  const int64_t to_ms = kStartMs + 300 * kMinuteMs;
  MachineHistory history;
  RepeatableRandom random(1);
  for (int i = 0; i < 600; ++i) {
    const double hours = i / 10.0;
    for (History* one : {&history.resident_bytes, &history.disk_free_bytes})
      one->times_ms.push_back(to_ms - (600 - i) * 6 * kMinuteMs);
    history.resident_bytes.values.push_back(1e9 + 5e6 * hours + 1e6 * random.uniform());
    history.disk_free_bytes.values.push_back(1e11 - 1e9 * hours + 1e7 * random.normal());
  }
  const Trends trends = read_trends(database(), kStartMs, to_ms, history);
  EXPECT_EQ(trends.series.looked_at, 9U);
  const SeriesFindings expected = findings_of(simulated);
  ASSERT_EQ(trends.series.found.size(), expected.found.size());
  EXPECT_TRUE(trends.alarm());
  const nlohmann::ordered_json json = to_json(trends);
  std::map<std::string, nlohmann::ordered_json> first;
  for (const auto& one : json) {
    for (const char* name : {"kind", "alarm", "metric", "method", "p_value", "interval", "description"})
      EXPECT_TRUE(one.contains(name)) << one.dump();
    first.emplace(one["kind"], one);
  }
  EXPECT_TRUE(json.front()["alarm"].get<bool>());
  EXPECT_NEAR(first["shift"]["change_percent"].get<double>(), 50, 5);
  EXPECT_EQ(first["leak"]["verdict"], "leaking");
  EXPECT_NEAR(first["leak"]["bytes_per_hour"].get<double>(), 5e6, 5e5);
  EXPECT_EQ(first["disk"]["outlook"], "reaches");
  EXPECT_NEAR(first["disk"]["full_in_seconds"].get<double>(), 40 * 3600, 3600);
  EXPECT_FALSE(first["disk"]["forecast"].is_null());
  EXPECT_EQ(first["queue"]["outlook"], "too_little_data");
}

INSTANTIATE_TEST_SUITE_P(Databases, StoredTrendsTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST(MachineOutlookTest, SaysTooLittleOfNothing) {
  const MachineOutlook outlook = look_ahead({}, kStartMs);
  EXPECT_EQ(outlook.leak.verdict, LeakVerdict::kTooLittleData);
  EXPECT_EQ(outlook.disk_full.outlook, LimitOutlook::kTooLittleData);
  EXPECT_FALSE(outlook.disk_free_bytes.has_value());
  EXPECT_EQ(outlook.queue_seconds.outlook, QueueOutlook::kTooLittleData);
}

TEST(MachineOutlookTest, RegularMeansEndWithTheLastValue) {
  History history;
  for (int i = 0; i <= 40; ++i) {
    history.times_ms.push_back(1000LL * i);
    history.values.push_back(i);
  }
  const auto means = regular_means(history, 10);
  ASSERT_TRUE(means.has_value());
  EXPECT_EQ(*means, (std::vector<double>{5.5, 15.5, 25.5, 35.5}));
  history.times_ms.back() += 100'000;
  EXPECT_FALSE(regular_means(history, 10).has_value());
}

TEST(MachineOutlookTest, ForecastsTheWaitOfAQueueThatGrows) {
  MachineHistory history;
  RepeatableRandom random(4);
  for (int i = 0; i < 720; ++i) {
    history.queue_seconds.times_ms.push_back(kStartMs + i * kMinuteMs);
    history.queue_seconds.values.push_back(10 + 0.1 * i + random.normal());
  }
  const MachineOutlook outlook = look_ahead(history, history.queue_seconds.times_ms.back());
  ASSERT_EQ(outlook.queue_seconds.outlook, QueueOutlook::kForecast);
  const ForecastPoint& last = outlook.queue_seconds.forecast->points.back();
  EXPECT_LE(last.low, 10 + 0.1 * 777);
  EXPECT_GE(last.high, 10 + 0.1 * 777);
  EXPECT_NEAR(last.value, 10 + 0.1 * 777, 4);
}

}  // namespace
}  // namespace snug
