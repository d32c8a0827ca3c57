#include "monitor/records/window_statistics.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/stopwatch.h"
#include "jobs/run_record_rows.h"
#include "jobs/store_fixture.h"
#include "monitor/records/history_fixture.h"

namespace snug {
namespace {

using nlohmann::ordered_json;
using Records = std::vector<RunRecord>;

constexpr int64_t kFromMs = 1'795'305'600'000 - 1'800'000;  // half past an hour
constexpr int64_t kHourMs = 3'600'000;

Records random_records(std::mt19937_64& random) {
  Records records(random() % 60);
  std::uniform_real_distribution<double> uniform(0, 10);
  const auto maybe = [&](std::optional<double>& place) {
    if (random() % 5 != 0) place = uniform(random);
  };
  for (RunRecord& r : records) {
    r.id = std::to_string(random());
    const std::vector<std::string> states = {"done", "done", "done", "failed", "cancelled", "running"};
    r.state = states[random() % states.size()];
    r.model = random() % 2 == 0 ? "a" : "b";
    r.width = r.height = random() % 2 == 0 ? 64 : 128;
    r.pictures = 1 + static_cast<int64_t>(random() % 3);
    if (r.state != "running")
      r.finished_ms = kFromMs - kHourMs + static_cast<int64_t>(random() % (7 * kHourMs));
    r.cached = random() % 4 == 0;
    r.kept = random() % 2 == 0;
    if (r.state == "failed") r.error_code = random() % 2 == 0 ? "disk_full" : "io_error";
    for (auto* place : {&r.total_seconds, &r.queue_seconds, &r.plan_seconds, &r.load_seconds,
                        &r.denoise_seconds, &r.turn_wait_seconds, &r.predicted_seconds, &r.phases_seconds})
      maybe(*place);
    if (random() % 3 != 0) r.planned_peak_bytes = 1 + static_cast<int64_t>(random() % 1000);
    if (random() % 3 != 0) r.peak_bytes = static_cast<int64_t>(random() % 1000);
  }
  return records;
}

// Type 7, by the definition.
double quantile_by_sorting(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  const double position = fraction * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - std::floor(position)) * (values[above] - values[below]);
}

void expect_distribution(const ordered_json& json, const std::vector<double>& values) {
  ASSERT_EQ(json["count"], values.size());
  EXPECT_EQ(json["method"], "exact");
  const std::map<std::string, double> quantiles = {
      {"p50_seconds", .5},  {"p75_seconds", .75},   {"p90_seconds", .9},   {"p95_seconds", .95},
      {"p99_seconds", .99}, {"minimum_seconds", 0}, {"maximum_seconds", 1}};
  for (const auto& [name, fraction] : quantiles) {
    if (values.empty()) {
      EXPECT_TRUE(json[name].is_null()) << name;
    } else {
      EXPECT_NEAR(json[name].get<double>(), quantile_by_sorting(values, fraction), 1e-12) << name;
    }
  }
  double sum = 0;
  for (const double value : values) sum += value;
  if (!values.empty()) {
    EXPECT_NEAR(json["mean_seconds"].get<double>(), sum / static_cast<double>(values.size()), 1e-12);
  }
}

template <class Choose>
int64_t count_if(const Records& records, Choose choose) {
  return std::count_if(records.begin(), records.end(), choose);
}
bool is_done(const RunRecord& r) { return r.state == "done"; }
bool is_run(const RunRecord& r) { return is_done(r) && !r.cached; }

// `value` gives an optional of each run.
template <class Value>
std::vector<double> values_of(const Records& records, Value value) {
  std::vector<double> values;
  for (const RunRecord& record : records)
    if (is_run(record))
      if (const std::optional<double> one = value(record)) values.push_back(*one);
  return values;
}
std::optional<double> generation_of(const RunRecord& r) {
  if (!r.total_seconds) return std::nullopt;
  return *r.total_seconds - r.queue_seconds.value_or(0);
}

void expect_rate(const ordered_json& json, int64_t part, int64_t whole) {
  ASSERT_EQ(json.is_null(), whole == 0);
  if (whole == 0) return;
  EXPECT_DOUBLE_EQ(json.get<double>(), static_cast<double>(part) / static_cast<double>(whole));
}

void expect_plan_error(const ordered_json& json, const std::vector<double>& ratios) {
  ASSERT_EQ(json["count"], ratios.size());
  if (ratios.empty()) return;
  std::vector<double> errors;
  for (const double ratio : ratios) errors.push_back(std::abs(ratio - 1));
  EXPECT_NEAR(json["median_ratio"].get<double>(), quantile_by_sorting(ratios, 0.5), 1e-9);
  EXPECT_NEAR(json["p90_abs_error"].get<double>(), quantile_by_sorting(errors, 0.9), 1e-9);
}

// Everything again by loops over the records of the window.
void expect_reference(const ordered_json& json, const Records& window) {
  const int64_t done = count_if(window, is_done), runs = count_if(window, is_run);
  const int64_t failed = count_if(window, [](const RunRecord& r) { return r.state == "failed"; });
  EXPECT_EQ(json["totals"]["ended"], window.size());
  EXPECT_EQ(json["totals"]["failed"], failed);
  expect_rate(json["success_rate"], done, done + failed);
  expect_rate(json["cache_rate"], done - runs, done);
  expect_rate(json["kept_rate"], count_if(window, [](const RunRecord& r) { return is_run(r) && r.kept; }),
              runs);
  expect_distribution(json["generation"], values_of(window, generation_of));
  expect_distribution(json["total"], values_of(window, [](const RunRecord& r) { return r.total_seconds; }));
  expect_distribution(json["queue"], values_of(window, [](const RunRecord& r) { return r.queue_seconds; }));
  const auto denoise = [](const RunRecord& r) { return r.total_seconds ? r.denoise_seconds : std::nullopt; };
  const std::vector<double> denoising = values_of(window, denoise);
  const std::vector<double> totals = values_of(window, [](const RunRecord& r) { return r.total_seconds; });
  double part = 0, whole = 0;
  for (const double seconds : denoising) part += seconds;
  for (const double seconds : totals) whole += seconds;
  for (const ordered_json& stage : json["stages"]) {
    if (stage["stage"] != "denoise") continue;
    expect_distribution(stage, denoising);
    ASSERT_EQ(stage["share"].is_null(), totals.empty());
    if (totals.empty()) continue;
    EXPECT_NEAR(stage["share"].get<double>(), part / whole, 1e-12);
  }
  int64_t in_hours = 0;
  for (const ordered_json& hour : json["per_hour"]) {
    const int64_t at = hour["hour_ms"];
    EXPECT_EQ(at % kHourMs, 0);
    const auto in_hour = [&](const RunRecord& r) {
      return r.finished_ms >= at && r.finished_ms < at + kHourMs;
    };
    EXPECT_EQ(hour["ended"], count_if(window, in_hour));
    in_hours += hour["ended"].get<int64_t>();
  }
  EXPECT_EQ(in_hours, static_cast<int64_t>(window.size()));
  for (const ordered_json& group : json["by_model"]) {
    Records own;
    std::copy_if(window.begin(), window.end(), std::back_inserter(own), [&](const RunRecord& r) {
      return r.model == group["model"] && r.width == group["width"] && r.height == group["height"];
    });
    EXPECT_EQ(group["ended"], own.size());
    expect_distribution(group["generation"], values_of(own, generation_of));
  }
  expect_plan_error(json["plan_error"]["seconds"], values_of(window, [](const RunRecord& r) {
                      return r.predicted_seconds && r.phases_seconds && *r.predicted_seconds > 0
                                 ? std::optional(*r.phases_seconds / *r.predicted_seconds)
                                 : std::nullopt;
                    }));
  expect_plan_error(json["plan_error"]["peak"], values_of(window, [](const RunRecord& r) {
                      return r.planned_peak_bytes && r.peak_bytes
                                 ? std::optional(static_cast<double>(*r.peak_bytes) /
                                                 static_cast<double>(*r.planned_peak_bytes))
                                 : std::nullopt;
                    }));
}

TEST(WindowStatisticsTest, EqualsAReferenceOnRandomTables) {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 400; ++trial) {
    const Records records = random_records(random);
    const int64_t to_ms = kFromMs + 1 + static_cast<int64_t>(random() % (5 * kHourMs));
    WindowStatistics statistics(kFromMs, to_ms);
    Records window;
    for (const RunRecord& record : records) {
      statistics.add(window_row(record));
      if (record.finished_ms && *record.finished_ms >= kFromMs && *record.finished_ms < to_ms)
        window.push_back(record);
    }
    ASSERT_NO_FATAL_FAILURE(expect_reference(to_json(statistics), window)) << trial;
  }
}

TEST(WindowStatisticsTest, SaysWhenQuantilesAreOfADigestAndKeepsThemClose) {
  std::mt19937_64 random(2);
  std::exponential_distribution<double> seconds(0.2);
  WindowStatistics exact(0, kHourMs), digest(0, kHourMs, 1000);
  WindowRow row;
  row.state = "done";
  for (int i = 0; i < 20'000; ++i) {
    row.finished_ms = i;
    row.total_seconds = seconds(random);
    exact.add(row);
    digest.add(row);
  }
  EXPECT_EQ(exact.generation().method(), "exact");
  EXPECT_EQ(digest.generation().method(), "t-digest");
  EXPECT_NEAR(digest.generation().summary()->p50, exact.generation().summary()->p50, 0.1);
  EXPECT_NEAR(digest.generation().summary()->p99 / exact.generation().summary()->p99, 1, 0.03);
  EXPECT_DOUBLE_EQ(digest.generation().summary()->maximum, exact.generation().summary()->maximum);
}

class StoredWindowTest : public StoreTest {};

TEST_P(StoredWindowTest, ReadFromTheStoreIsWhatTheRecordsGive) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 10; ++trial) {
    Records records = random_records(random);
    database().write([&](Sql& sql) {
      sql.run("DELETE FROM run_record");
      for (const RunRecord& record : records) insert_record(sql, record);
    });
    RecordQuery query;
    query.from_ms = kFromMs;
    query.to_ms = kFromMs + 3 * kHourMs;
    if (trial % 2 == 0) query.model = "a";
    std::erase_if(records, [&](const RunRecord& r) {
      return !r.finished_ms || *r.finished_ms < kFromMs || *r.finished_ms >= *query.to_ms ||
             (!query.model.empty() && r.model != query.model);
    });
    ASSERT_NO_FATAL_FAILURE(expect_reference(to_json(read_window_statistics(database(), query)), records));
  }
}

INSTANTIATE_TEST_SUITE_P(Databases, StoredWindowTest, ::testing::ValuesIn(database_kinds()), kind_name);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kSlowdown = 10;
#else
constexpr double kSlowdown = 1;
#endif

// Of this thread, in which SQLite works too: what else the machine does is not in it.
double thread_cpu_seconds() {
  timespec time = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// A page's 200 ms.
TEST(HistoryOfAYearTest, AnswersEveryWindowAndPageAtOnce) {
  const TemporaryFolder folder;
  DatabaseOptions options;
  options.place = folder.path("snug.sqlite");
  Database database(options);
  constexpr int64_t kYearMs = 365LL * 24 * kHourMs, kNowMs = kFromMs + kYearMs;
  const Stopwatch filling;
  testing::make_history(database, {100'000, kFromMs, kNowMs});
  std::printf("  100000 records made in %.2f s\n", filling.seconds());
  const RecordStore store(database);
  double slowest = 0;
  const auto timed = [&](const std::string& what, const auto& work) {
    double best = 1e9;  // of two: the first also reads the file
    for (int i = 0; i < 2; ++i) {
      const double before = thread_cpu_seconds();
      work();
      best = std::min(best, thread_cpu_seconds() - before);
    }
    std::printf("  %-42s %6.1f ms\n", what.c_str(), best * 1e3);
    slowest = std::max(slowest, best);
  };
  for (const int64_t hours : {1, 24, 168}) {
    RecordQuery query;
    query.from_ms = kNowMs - hours * kHourMs;
    query.to_ms = kNowMs + 1;
    timed("statistics of " + std::to_string(hours) + " h",
          [&] { EXPECT_GT(read_window_statistics(database, query).counts().ended(), 0); });
    timed("records of " + std::to_string(hours) + " h", [&] { EXPECT_FALSE(store.records(query).empty()); });
  }
  RecordQuery page;
  timed("newest page", [&] { EXPECT_EQ(store.records(page).size(), 100U); });
  page.before_id = "made-50000";
  timed("page in the middle", [&] { EXPECT_EQ(store.records(page).front().id, "made-49999"); });
  page.model = "model-1";
  page.width = page.height = 1024;
  timed("page of a model and size", [&] { EXPECT_EQ(store.records(page).size(), 100U); });
  page = {};
  page.model = "model-9";
  timed("page of a model that is not there", [&] { EXPECT_TRUE(store.records(page).empty()); });
  page.model.clear();
  page.state = "failed";
  timed("page of failures", [&] { EXPECT_EQ(store.records(page).size(), 100U); });
  page.only_ended = false;
  page.state = "queued";
  timed("page of what waits", [&] { EXPECT_TRUE(store.records(page).empty()); });
  page.state.clear();
  timed("newest page, also of what waits", [&] { EXPECT_EQ(store.records(page).size(), 100U); });
  timed("one record", [&] { EXPECT_TRUE(store.find("made-77777").has_value()); });
  timed("groups", [&] { EXPECT_EQ(store.groups({}).size(), 12U); });
  timed("count", [&] { EXPECT_EQ(store.count({}), 100'000); });
  EXPECT_LT(slowest, 0.2 * kSlowdown);
}

}  // namespace
}  // namespace snug
