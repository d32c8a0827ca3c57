// Exports of what the store itself wrote: every job once, in the order of its end, with the prompts of jobs
// that are still there, and no word of a prompt in any form that was not asked for it.
#include "monitor/exports/record_pages.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "jobs/run_record_rows.h"
#include "jobs/store_fixture.h"
#include "monitor/exports/random_records.h"

namespace snug {
namespace {

class RecordPagesTest : public StoreTest {
 protected:
  RunRecord stored(int number) {
    RunRecord record = random_.record(number);
    // PostgreSQL and SOCI keep 15 digits of a number and no zero bytes; what is stored is what counts.
    database().write([&](Sql& sql) { insert_record(sql, record); });
    return *database().read([&](Sql& sql) { return find_record(sql, record.id); });
  }
  std::vector<ExportedRun> pages(int64_t from_ms, int64_t to_ms, RecordExportOptions options = {}) {
    RecordPages source(database(), from_ms, to_ms, options);
    std::vector<ExportedRun> runs;
    for (ExportedRun run; source.next(run);) runs.push_back(run);
    return runs;
  }
  std::string exported(ExportForm form, RecordExportOptions options = {}) {
    RecordPages source(database(), 0, kStartMs * 2, options);
    std::string text;
    export_records(
        form, [&](ExportedRun& run) { return source.next(run); }, options,
        [&](std::string_view piece) { text += piece; });
    return text;
  }
  testing::RandomRecords random_{7};
};

INSTANTIATE_TEST_SUITE_P(Databases, RecordPagesTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(RecordPagesTest, GiveEachRecordOnceInTheOrderOfItsEnd) {
  std::map<std::string, RunRecord> expected;
  database().write([&](Sql& sql) {
    for (int i = 0; i < 1203; ++i) {
      RunRecord record = random_.record(i);
      record.finished_ms = kStartMs + i / 600;  // more in a millisecond than on a page
      insert_record(sql, record);
      expected[record.id] = record;
    }
    RunRecord running = random_.record(5000);
    running.finished_ms.reset();
    insert_record(sql, running);
  });
  const std::vector<ExportedRun> runs = pages(kStartMs, kStartMs + 100, {.with_detail = true});
  ASSERT_EQ(runs.size(), expected.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunRecord& record = runs[i].record;
    if (i > 0) {
      EXPECT_LE(*runs[i - 1].record.finished_ms, *record.finished_ms);
    }
    ASSERT_EQ(expected.count(record.id), 1u);
    EXPECT_EQ(record.detail, expected[record.id].detail);
    expected.erase(record.id);
    EXPECT_FALSE(runs[i].prompt.has_value());
  }
  EXPECT_EQ(pages(kStartMs + 1, kStartMs + 2).size(), 600u);
  EXPECT_EQ(pages(kStartMs + 3, kStartMs + 100).size(), 0u);
}

TEST_P(RecordPagesTest, FormsEqualTheStore) {
  std::vector<std::string> stored_ones;
  for (int i = 0; i < 40; ++i) stored_ones.push_back(record_json(stored(i)).dump());
  std::vector<std::string> found;
  for (const auto& json : nlohmann::ordered_json::parse(exported(ExportForm::kJson)))
    found.push_back(json.dump());
  std::sort(stored_ones.begin(), stored_ones.end());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, stored_ones);
}

TEST_P(RecordPagesTest, PromptsLeaveOnlyWhenAskedAndWhileTheirJobIsThere) {
  JobStore jobs(database());
  NewJob added = new_job("ada");
  added.job.request = R"({"prompt":"a \"quoted\" castle","negative_prompt":"drizzle","steps":8})";
  added.prompt = "a \"quoted\" castle";
  added.record.model = "tiny";
  const std::string id = jobs.add(added, 100).job.id;
  jobs.request_cancel(id);
  RunRecord gone;
  gone.id = "01JD0000000000000000000000";
  gone.state = "done";
  gone.finished_ms = kStartMs - 5;
  database().write([&](Sql& sql) { insert_record(sql, gone); });

  for (const ExportFormInfo& info : export_forms()) {
    for (const bool with_detail : {false, true}) {
      const std::string text = exported(info.form, {.with_detail = with_detail});
      EXPECT_NE(text.find(id), std::string::npos) << info.name;
      for (const char* const word : {"castle", "quoted", "drizzle"})
        EXPECT_EQ(text.find(word), std::string::npos) << info.name;
    }
    EXPECT_NE(exported(info.form, {.with_prompts = true}).find("castle"), std::string::npos) << info.name;
  }
  const std::vector<ExportedRun> runs = pages(0, kStartMs * 2, {.with_prompts = true});
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_FALSE(runs[0].prompt.has_value());
  EXPECT_EQ(runs[1].prompt, "a \"quoted\" castle");
}

TEST_P(RecordPagesTest, EndWhenTheyAreStopped) {
  stored(1);
  Cancellation cancellation;
  RecordPages source(database(), 0, kStartMs * 2, {}, &cancellation);
  cancellation.request();
  ExportedRun run;
  EXPECT_EQ(error_of([&] { source.next(run); }).code(), ErrorCode::kCancelled);
}

}  // namespace
}  // namespace snug
