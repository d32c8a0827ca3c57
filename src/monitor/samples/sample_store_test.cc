// The history of samples: against an account of its own kept in memory, over new starts, clocks set back,
// expiry, a year of rows, and many samples.
#include "monitor/samples/sample_store.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "base/process_memory.h"
#include "jobs/store_fixture.h"
#include "monitor/samples/sample_writer.h"

namespace snug {
namespace {

constexpr int64_t kMinuteMs = 60'000, kHourMs = 60 * kMinuteMs, kDayMs = 24 * kHourMs;

Sample sample_at(int64_t time_ms, std::mt19937& random) {
  Sample sample;
  sample.time_ms = time_ms;
  for (size_t i = 0; i < kSampleFieldCount; ++i) {
    // Absent now and then; one field never, one always.
    if (i == 3 || (i != 0 && random() % 5 == 0)) continue;
    sample.values[i] = static_cast<double>(random() % 100'000) * std::pow(10.0, static_cast<double>(i % 7));
  }
  return sample;
}

class SampleStoreTest : public StoreTest {};
INSTANTIATE_TEST_SUITE_P(Databases, SampleStoreTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST(SampleRows, ATextIsReadAsItWasWritten) {
  std::mt19937 random(3);
  const SampleLayout layout = layout_of(layout_names());
  std::array<bool, kSampleFieldCount> all = {};
  all.fill(true);
  for (int round = 0; round < 500; ++round) {
    SampleSummary written, read;
    for (int i = 0; i <= round % 4; ++i) written.add(summary_of(sample_at(i, random)));
    const std::string text = row_text(written);
    ASSERT_TRUE(add_row(text, layout, written.samples, all, read));
    EXPECT_EQ(read.samples, written.samples);
    for (size_t i = 0; i < kSampleFieldCount; ++i) {
      ASSERT_EQ(read.fields[i].count, written.fields[i].count) << text;
      if (read.fields[i].count == 0) continue;
      EXPECT_NEAR(read.fields[i].mean, written.fields[i].mean, 1e-6 * written.fields[i].mean);
      EXPECT_NEAR(read.fields[i].most, written.fields[i].most, 1e-6 * written.fields[i].most);
    }
  }
}

TEST(SampleRows, FieldsOfAnotherVersionAreFoundByTheirNames) {
  const SampleLayout layout = layout_of("no_such_field threads cpu_percent");
  std::array<bool, kSampleFieldCount> all = {};
  all.fill(true);
  SampleSummary summary;
  ASSERT_TRUE(add_row("1;2;3,1,5,2", layout, 4, all, summary));
  EXPECT_EQ(summary[SampleField::kThreads], (FieldSummary{2, 2, 2, 4}));
  EXPECT_EQ(summary[SampleField::kCpuPercent], (FieldSummary{3, 1, 5, 2}));
  EXPECT_EQ(summary[SampleField::kDiskFree].count, 0);
  for (const char* broken : {"1;2;3;4", "x", "1;2,", "1;2,3", "1;2,3,4,9", "1;2,3,4,0", "1;nan", "1;inf"}) {
    SampleSummary none;
    if (std::string_view(broken) == "1;2,") continue;  // an empty rest is none
    if (std::string_view(broken) == "x") {
      EXPECT_TRUE(add_row(broken, layout, 4, all, none)) << "a field that is not known is not read";
      continue;
    }
    EXPECT_FALSE(add_row(broken, layout, 4, all, none)) << broken;
  }
}

TEST_P(SampleStoreTest, SummariesEqualAnAccountInMemory) {
  std::mt19937 random(5);
  SampleStore store(database());
  std::map<int64_t, SampleSummary> minutes, hours, days;
  std::vector<Sample> batch;
  // A little over a day, each sample within its twenty seconds; in batches that end anywhere.
  for (int64_t time = kStartMs - 3 * kHourMs; time < kStartMs + 3 * kHourMs; time += 20'000) {
    const Sample sample = sample_at(time + static_cast<int64_t>(random() % 20'000), random);
    batch.push_back(sample);
    const SampleSummary one = summary_of(sample);
    minutes[sample.time_ms / kMinuteMs * kMinuteMs].add(one);
    hours[sample.time_ms / kHourMs * kHourMs].add(one);
    days[sample.time_ms / kDayMs * kDayMs].add(one);
    if (random() % 40 == 0) store.write(std::exchange(batch, {}));
  }
  store.write(batch);
  store.write(batch);  // once more changes nothing
  const auto compare = [&](const std::map<int64_t, SampleSummary>& expected, int64_t width) {
    HistoryQuery query;
    query.from_ms = kStartMs - kDayMs;
    query.to_ms = kStartMs + kDayMs;
    query.most_points = 2 * kDayMs / width;
    const SampleHistory history = store.history(query);
    ASSERT_EQ(history.step_ms, width);
    ASSERT_EQ(history.points.size(), expected.size());
    for (const SampleSummary& point : history.points) {
      ASSERT_TRUE(expected.contains(point.start_ms));
      const SampleSummary& other = expected.at(point.start_ms);
      EXPECT_EQ(point.samples, other.samples);
      for (size_t i = 0; i < kSampleFieldCount; ++i) {
        ASSERT_EQ(point.fields[i].count, other.fields[i].count);
        if (other.fields[i].count == 0) continue;
        EXPECT_NEAR(point.fields[i].mean, other.fields[i].mean, 1e-5 * other.fields[i].mean);
        EXPECT_NEAR(point.fields[i].least, other.fields[i].least, 1e-5 * other.fields[i].least);
        EXPECT_NEAR(point.fields[i].most, other.fields[i].most, 1e-5 * other.fields[i].most);
      }
    }
  };
  compare(minutes, kMinuteMs);
  compare(hours, kHourMs);
  compare(days, kDayMs);
  EXPECT_EQ(store.rows(Resolution::kHour), static_cast<int64_t>(hours.size()));
}

TEST_P(SampleStoreTest, ANewStartGoesOnAndAClockThatIsSetBackLosesNothing) {
  std::mt19937 random(6);
  {
    SampleStore store(database());
    store.write({sample_at(kStartMs, random), sample_at(kStartMs + 5000, random)});
  }
  close();
  SampleStore store(database());
  store.write({sample_at(kStartMs + 10'000, random)});
  store.write({sample_at(kStartMs + 2000, random)});            // set back within the minute
  store.write({sample_at(kStartMs - 90 * kMinuteMs, random)});  // and by more
  store.write({sample_at(kStartMs + 2000, random)});            // the same millisecond: one sample
  EXPECT_EQ(store.rows(Resolution::kSample), 5);
  HistoryQuery query{kStartMs - kDayMs, kStartMs + kDayMs, 2, {}};
  const SampleHistory history = store.history(query);
  int64_t samples = 0;
  for (const SampleSummary& point : history.points) samples += point.samples;
  EXPECT_EQ(samples, 5);
  EXPECT_EQ(store.rows(Resolution::kMinute), 2);
  EXPECT_EQ(store.rows(Resolution::kHour), 2);
  EXPECT_EQ(store.rows(Resolution::kDay), 2);
}

TEST_P(SampleStoreTest, WhatIsTooOldGoesByTheClockOfNow) {
  std::mt19937 random(7);
  SampleStore store(database(), keeping_for(60));
  // A clock that was a year ahead for a while must not make the present look old.
  store.write({sample_at(kStartMs + 365 * kDayMs, random)});
  for (int day = 0; day < 70; ++day) {
    now_ms_ = kStartMs + day * kDayMs;
    store.write({sample_at(now_ms_, random), sample_at(now_ms_ + 5000, random)});
  }
  EXPECT_EQ(store.rows(Resolution::kSample), 1 + 4) << "of today and the day before";
  EXPECT_EQ(store.rows(Resolution::kMinute), 1 + 31);
  EXPECT_EQ(store.rows(Resolution::kHour), 1 + 61);
  EXPECT_EQ(store.rows(Resolution::kDay), 1 + 62);
  // Further back than samples and minutes reach, hours answer.
  const SampleHistory history = store.history({kStartMs + 20 * kDayMs, now_ms_ + 1, 10'000, {}});
  EXPECT_EQ(history.resolution, Resolution::kHour);
  EXPECT_EQ(store.history({now_ms_ - kHourMs, now_ms_ + 10'000, 10'000, {}}).resolution, Resolution::kSample);
}

TEST_P(SampleStoreTest, ReadingAYearIsQuickAndThinsOut) {
  std::mt19937 random(8);
  SampleStore store(database());
  std::vector<std::string> texts;
  for (int i = 0; i < 50; ++i) {
    SampleSummary summary;
    for (int j = 0; j < 3; ++j) summary.add(summary_of(sample_at(0, random)));
    texts.push_back(row_text(summary));
  }
  // The rows that a year leaves: written as the store writes them, but not one by one.
  database().write([&](Sql& sql) {
    sql.run("INSERT INTO sample_layout (id, names) VALUES (1, ?)", {layout_names()});
    const auto fill = [&](int64_t width, int64_t from_ms) {
      for (int64_t start = from_ms; start < kStartMs;) {
        std::string statement = "INSERT INTO sample (resolution, start_ms, samples, layout, figures) VALUES ";
        std::vector<SqlValue> values;
        for (int i = 0; i < 200 && start < kStartMs; ++i, start += width) {
          statement += i == 0 ? "(?, ?, ?, 1, ?)" : ", (?, ?, ?, 1, ?)";
          values.insert(values.end(), {width, start, int64_t{3}, texts[random() % texts.size()]});
        }
        sql.run(statement, values);
      }
    };
    fill(kMinuteMs, kStartMs - 2 * kDayMs);
    fill(kHourMs, kStartMs - 365 * kDayMs);
    fill(kDayMs, kStartMs - 365 * kDayMs);
  });
  for (const int64_t span_days : {1, 3, 30, 100, 180, 365}) {
    const HistoryQuery query{kStartMs - span_days * kDayMs, kStartMs, 500, {}};
    std::vector<double> seconds;
    SampleHistory history;
    for (int i = 0; i < 5; ++i) {
      const auto start = std::chrono::steady_clock::now();
      history = store.history(query);
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(seconds.begin(), seconds.end());
    std::printf("%ld days: %zu points of %s rows, %.1f ms\n", static_cast<long>(span_days),
                history.points.size(), resolution_name(history.resolution).c_str(), 1e3 * seconds[0]);
    EXPECT_LE(history.points.size(), 500u);
    EXPECT_GE(history.points.size(), 24u);
    // The figure to keep is 50 ms in a release build; a machine that is busy or a sanitizer takes more.
    EXPECT_LT(seconds[0], 0.5);
  }
}

// SNUG_TEST_SAMPLES=1000000 shows the same with a million.
TEST_P(SampleStoreTest, ManySamplesLeaveMemoryAndRowsBounded) {
  const char* const asked = std::getenv("SNUG_TEST_SAMPLES");
  const int64_t count = asked == nullptr ? 20'000 : std::atoll(asked);
  std::mt19937 random(9);
  SampleStore store(database());
  std::vector<Sample> batch;
  uint64_t resident_bytes = 0;
  for (int64_t i = 0; i < count; ++i) {
    now_ms_ = kStartMs + i * 20'000;
    batch.push_back(sample_at(now_ms_, random));
    if (batch.size() < 1000) continue;
    store.write(std::exchange(batch, {}));
    if (resident_bytes == 0 && i >= count / 2) resident_bytes = process_memory().resident_bytes;
  }
  const auto grown =
      static_cast<double>(process_memory().resident_bytes) - static_cast<double>(resident_bytes);
  std::printf("%ld samples: memory of the second half grew by %.1f MiB\n", static_cast<long>(count),
              grown / 1048576);
  EXPECT_LT(grown, 8 << 20);
  EXPECT_LE(store.rows(Resolution::kSample), 3 * 1440 + 1000);
  EXPECT_LE(store.rows(Resolution::kMinute), 30 * 1440 + 1002);
  EXPECT_LE(store.rows(Resolution::kHour), 401 * 24 + 20);
}

TEST_P(SampleStoreTest, AWriterGathersAndKeepsWhatCannotBeWritten) {
  std::mt19937 random(10);
  SampleStore store(database());
  {
    SampleWriter writer(store, std::chrono::hours(1));
    writer.add(sample_at(kStartMs, random));
    EXPECT_EQ(store.rows(Resolution::kSample), 0) << "nothing is written for each";
    database().write([](Sql& sql) { sql.run("ALTER TABLE sample RENAME TO elsewhere"); });
    EXPECT_FALSE(writer.flush());
    writer.add(sample_at(kStartMs + 5000, random));
    database().write([](Sql& sql) { sql.run("ALTER TABLE elsewhere RENAME TO sample"); });
    EXPECT_TRUE(writer.flush());
    EXPECT_EQ(store.rows(Resolution::kSample), 2);
    writer.add(sample_at(kStartMs + 10'000, random));
  }
  EXPECT_EQ(store.rows(Resolution::kSample), 3) << "the last are written at the end";
}

TEST_P(SampleStoreTest, AnEmptyTimeIsRefused) {
  SampleStore store(database());
  EXPECT_EQ(error_of([&] { store.history({5, 5, 10, {}}); }).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { store.history({5, 6, 0, {}}); }).code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(store.history({5, 6, 10, {}}).points.empty());
}

}  // namespace
}  // namespace snug
