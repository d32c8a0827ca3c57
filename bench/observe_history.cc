#include <functional>

#include "base/stopwatch.h"
#include "bench/observe_parts.h"
#include "jobs/database.h"
#include "monitor/performance_sources.h"
#include "monitor/records/history_fixture.h"
#include "monitor/samples/sample_store.h"

namespace snug::bench {
namespace {

constexpr int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs, kYearMs = 365 * kDayMs;
constexpr int64_t kWeekHours = 168;

// As a year of the service leaves them: an hour's row for each hour, and the finest of the last day.
void fill_samples(Database& database, SampleStore& store, int64_t now_ms) {
  std::vector<Sample> samples;
  const auto add = [&](int64_t time_ms) {
    Sample& sample = samples.emplace_back();
    sample.time_ms = time_ms;
    const double wave = static_cast<double>(time_ms / 1000 % 3600) / 3600;
    for (size_t field = 0; field < kSampleFieldCount; ++field) sample.values[field] = wave * 100 + 1;
    if (samples.size() < 1000) return;
    store.write(samples);
    samples.clear();
  };
  for (int64_t at = now_ms - kYearMs; at < now_ms - kDayMs; at += kHourMs) add(at);
  for (int64_t at = now_ms - kDayMs; at < now_ms; at += 5000) add(at);
  if (!samples.empty()) store.write(samples);
  (void)database;
}

}  // namespace

HistoryTimes time_history_pages(const std::string& path, int64_t records, int repeats) {
  HistoryTimes times;
  times.records = records;
  DatabaseOptions options;
  options.place = path;
  Database database(options);
  const int64_t now_ms = database.now_ms();
  const Stopwatch filling;
  testing::make_history(database, {.records = records, .from_ms = now_ms - kYearMs, .to_ms = now_ms - 1000});
  SampleStore store(database);
  fill_samples(database, store, now_ms);
  for (const Resolution each :
       {Resolution::kSample, Resolution::kMinute, Resolution::kHour, Resolution::kDay})
    times.samples += store.rows(each);
  times.fill_seconds = filling.seconds();

  ServiceOptions service;
  service.find_model = [](RequestFields&) {};  // the embedded one
  OwnSources sources({.database = database, .options = service});
  const Performance performance(sources.sources());
  const Viewer viewer{};
  TaskQuery tasks;
  tasks.window_hours = kWeekHours;
  const std::vector<std::pair<std::string, std::function<nlohmann::ordered_json()>>> pages = {
      {"status", [&] { return performance.status(kWeekHours, viewer); }},
      {"analysis", [&] { return performance.analysis(kWeekHours, viewer); }},
      {"metrics", [&] { return performance.metrics(tasks, viewer); }},
      {"benchmarks", [&] { return performance.benchmarks(kWeekHours); }},
      {"export as CSV", [&] { return performance.export_tasks(TaskExport::kCsv, kWeekHours, viewer); }},
      {"dashboard, 24 h", [&] { return performance.dashboard(24, viewer); }},
      {"dashboard, 168 h", [&] { return performance.dashboard(kWeekHours, viewer); }},
      {"report", [&] { return performance.report(kWeekHours, viewer); }},
      {"resources/history", [&] { return performance.resources_history(kWeekHours, 500); }},
      {"operations/active", [&] { return performance.operations_active(viewer); }},
  };
  for (const auto& [name, page] : pages) {
    PageTime& time = times.pages.emplace_back();
    time.page = name;
    time.bytes = page().dump().size();
    for (int i = 0; i < repeats; ++i) {
      const Stopwatch watch;
      page().dump();
      time.seconds.push_back(watch.seconds());
    }
  }
  return times;
}

}  // namespace snug::bench
