#include "monitor/analysis/run_analyst.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "base/stopwatch.h"
#include "jobs/run_record_rows.h"
#include "jobs/store_fixture.h"
#include "monitor/analysis/bottlenecks.h"
#include "monitor/analysis/record_fixture.h"
#include "monitor/analysis/window_bottlenecks.h"

namespace snug {
namespace {

using testing::made_up_peaks;
using testing::MadeUpRun;

class RunAnalystTest : public StoreTest {
 protected:
  // `count` jobs that ended a second after each other; every third waited long.
  std::vector<RunRecord> fill(int count) {
    std::vector<RunRecord> records;
    for (int i = 0; i < count; ++i) {
      MadeUpRun run;
      run.record.id = "run-" + std::to_string(i);
      run.record.finished_ms = kStartMs + 1000 * i;
      run.grow(1, "seconds", 0.01 * i);
      run.longer(0.01 * i);
      if (i % 3 == 0) {
        run.record.queue_seconds = 20 + i;
        run.longer(20 + i);
      }
      records.push_back(run.finished());
    }
    database().write([&](Sql& sql) {
      for (const RunRecord& record : records) insert_record(sql, record);
    });
    return records;
  }
  int64_t integer(const char* query) {
    return database().read([&](Sql& sql) { return sql.integer(query); });
  }
  int64_t left() { return integer("SELECT COUNT(*) FROM run_record WHERE analysed_ms IS NULL"); }
  AnalystOptions options() {
    AnalystOptions options;
    options.peaks = made_up_peaks;
    options.look_seconds = 0.01;
    options.batch = 3;
    return options;
  }
  static bool wait_for(const std::function<bool()>& what) {
    const Stopwatch watch;
    while (!what()) {
      if (watch.seconds() > 60) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
};

TEST_P(RunAnalystTest, KeepsWhatBottlenecksOfFindsAndDoesItOnce) {
  const std::vector<RunRecord> records = fill(10);
  EXPECT_EQ(analyse_ended_runs(database(), made_up_peaks(), 4), 4);
  EXPECT_EQ(left(), 6);
  EXPECT_EQ(analyse_ended_runs(database(), made_up_peaks(), 100), 6);
  EXPECT_EQ(analyse_ended_runs(database(), made_up_peaks(), 100), 0);
  int64_t findings = 0;
  for (const RunRecord& record : records) {
    const std::vector<Bottleneck> expected = bottlenecks_of(record, made_up_peaks());
    auto rows = database().read([&](Sql& sql) {
      return sql.rows(
          "SELECT kind, severity, description, recommendation, evidence, at_ms FROM bottleneck "
          "WHERE run = ? ORDER BY number",
          6, {record.id});
    });
    ASSERT_EQ(rows.size(), expected.size()) << record.id;
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].text(), bottleneck_kind_name(expected[i].kind));
      EXPECT_EQ(rows[i].text(), expected[i].severity);
      EXPECT_EQ(rows[i].text(), expected[i].description);
      EXPECT_EQ(rows[i].text(), expected[i].recommendation);
      EXPECT_EQ(nlohmann::ordered_json::parse(rows[i].text())["sources"], expected[i].evidence["sources"]);
      EXPECT_EQ(rows[i].integer(), record.finished_ms);
    }
    findings += static_cast<int64_t>(expected.size());
  }
  // Again, as after a stop between: the same rows.
  database().write([&](Sql& sql) { sql.run("UPDATE run_record SET analysed_ms = NULL"); });
  EXPECT_EQ(analyse_ended_runs(database(), made_up_peaks(), 100), 10);
  EXPECT_EQ(integer("SELECT COUNT(*) FROM bottleneck"), findings);
  EXPECT_EQ(integer("SELECT COUNT(*) FROM bottleneck_events"), findings);
}

TEST_P(RunAnalystTest, TheTableGivesTheWindowThatTheRecordsGive) {
  std::vector<RunRecord> records = fill(12);
  analyse_ended_runs(database(), made_up_peaks(), 8);
  records.resize(8);
  const WindowBottlenecks expected = window_bottlenecks(records, made_up_peaks());
  const WindowBottlenecks found = read_window_bottlenecks(database(), kStartMs, kStartMs + 1'000'000);
  EXPECT_EQ(found.analysed, 8);
  EXPECT_EQ(found.not_analysed, 4);
  EXPECT_NEAR(found.total_seconds, expected.total_seconds, 1e-9);
  ASSERT_EQ(found.found.size(), expected.found.size());
  for (size_t i = 0; i < found.found.size(); ++i) {
    const WindowBottleneck &is = found.found[i], &should = expected.found[i];
    EXPECT_EQ(is.total.kind, should.total.kind);
    EXPECT_EQ(is.runs, should.runs);
    EXPECT_NEAR(is.total.seconds, should.total.seconds, 1e-6);
    EXPECT_EQ(is.total.recommendation, should.total.recommendation);
    EXPECT_EQ(is.total.severity, should.total.severity);
    ASSERT_EQ(is.worst.size(), should.worst.size());
    for (size_t j = 0; j < is.worst.size(); ++j)
      EXPECT_EQ(is.worst[j].description, should.worst[j].description);
  }
}

TEST_P(RunAnalystTest, TheThreadGetsThroughAllAlsoAfterARestart) {
  fill(20);
  {
    RunAnalyst analyst(database(), options());
    EXPECT_TRUE(wait_for([&] { return analyst.analysed() >= 5; }));
  }
  {
    RunAnalyst analyst(database(), options());
    EXPECT_TRUE(wait_for([&] { return left() == 0; }));
    MadeUpRun late;
    late.record.id = "late";
    database().write([&](Sql& sql) { insert_record(sql, late.finished()); });
    analyst.wake();
    EXPECT_TRUE(wait_for([&] { return left() == 0; }));
  }
  EXPECT_EQ(integer("SELECT COUNT(DISTINCT run) FROM bottleneck"), 21);
}

TEST_P(RunAnalystTest, LetsARunHaveTheMachineButNotForEver) {
  fill(3);
  std::atomic<bool> busy = true;
  AnalystOptions waits = options();
  waits.is_busy = [&] { return busy.load(); };
  {
    RunAnalyst analyst(database(), waits);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(left(), 3);
  }
  waits.most_wait_seconds = 0.05;
  RunAnalyst analyst(database(), waits);
  EXPECT_TRUE(wait_for([&] { return left() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(Databases, RunAnalystTest, ::testing::ValuesIn(database_kinds()), kind_name);

}  // namespace
}  // namespace snug
