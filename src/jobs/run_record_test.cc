// A record is there of every job, whatever became of it, with its times adding up; and the views have the
// columns that they promise.
#include "jobs/run_record.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "jobs/run_record_rows.h"
#include "jobs/service_fixture.h"
#include "jobs/store_fixture.h"

namespace snug {
namespace {

double parts_seconds(const RunRecord& r) {
  double sum = 0;
  for (const auto& part : {r.queue_seconds, r.earlier_seconds, r.plan_seconds, r.load_seconds,
                           r.encode_seconds, r.denoise_seconds, r.decode_seconds, r.write_seconds,
                           r.keep_seconds, r.turn_wait_seconds, r.unfinished_seconds})
    sum += part.value_or(0);
  return sum;
}

// The store's clock counts whole milliseconds, and is read where a transaction has begun, which may wait for
// another.
void expect_parts_sum_to_total(const RunRecord& record) {
  ASSERT_TRUE(record.total_seconds.has_value());
  EXPECT_NEAR(parts_seconds(record), *record.total_seconds, 0.01 * *record.total_seconds + 0.01)
      << record_json(record).dump(1);
}

RunRecord random_record(std::mt19937& random) {
  RunRecord record;
  std::uniform_real_distribution<double> real(-1e9, 1e9);
  for (const RecordColumn& column : record_columns()) {
    std::visit(
        [&](auto member) {
          auto& place = record.*member;
          using T = std::remove_cvref_t<decltype(place)>;
          const bool known = random() % 4 != 0;
          if constexpr (std::is_same_v<T, std::string>) {
            if (known) place = "a 'quoted', \"text\" ü " + std::to_string(random());
          } else if constexpr (std::is_same_v<T, bool>) {
            place = known;
          } else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, std::optional<int64_t>>) {
            if (known) place = static_cast<int64_t>(random()) << (random() % 31);
          } else {
            if (known) place = std::round(real(random));
          }
        },
        column.member);
  }
  return record;
}

class RunRecordTest : public StoreTest {};
INSTANTIATE_TEST_SUITE_P(Databases, RunRecordTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(RunRecordTest, GoesThroughTheTableAndThroughJsonUnchanged) {
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    RunRecord record = random_record(random);
    record.id = "id" + std::to_string(i);
    record.detail = R"({"phases":[]})";
    database().write([&](Sql& sql) { insert_record(sql, record); });
    const auto found = database().read([&](Sql& sql) { return find_record(sql, record.id); });
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(record_json(*found), record_json(record));
    EXPECT_EQ(found->detail, record.detail);
    EXPECT_EQ(record_json(record_from_json(record_json(record))), record_json(record));
  }
}

TEST_P(RunRecordTest, OutlivesItsJobAndTellsHowEachEnded) {
  JobStore store(database());
  const auto begun = [&] {
    NewJob added = new_job("o");
    added.record.model = "m";
    added.record.steps = 4;
    added.record.backend = "cpu";
    const std::string id = store.add(added, 1000).job.id;
    now_ms_ += 2000;
    store.reserve(id, {10, 2.5, 4}, 10, 1000);
    store.begin(id);
    now_ms_ += 3000;
    return id;
  };
  const std::string retried = begun();
  store.retry(retried, {"io_error", "p", "f", "s", ""}, 3, now_ms_);
  now_ms_ += 500;
  store.reserve(retried, {10, 2.5, 4}, 10, 1000);
  store.begin(retried);
  now_ms_ += 1000;
  JobResult result{{picture_of("p", 77)}, "{}", 1};
  result.run.denoise_seconds = 1;
  result.run.detail = "{}";
  store.finish(retried, result);
  const std::string failed = begun();
  RunRecord run;
  run.load_seconds = 0.5;
  store.fail(failed, {"out_of_memory", "no room", "ask for less", "load", ""}, 1, run);
  const std::string cancelled = begun();
  store.cancelled(cancelled, 1);
  NewJob late = new_job("o");
  late.job.deadline_ms = now_ms_ + 10;
  const std::string expired = store.add(late, 1000).job.id;
  now_ms_ += 100;
  store.next(1);
  const std::string waiting = store.add(new_job("o"), 1000).job.id;
  now_ms_ += 700;
  store.request_cancel(waiting);
  EXPECT_EQ(store.forget_ended(now_ms_ + 1, 100), 5);

  const auto record = [&](const std::string& id) {
    return *database().read([&](Sql& sql) { return find_record(sql, id); });
  };
  for (const std::string& id : {retried, failed, cancelled, expired, waiting}) {
    expect_parts_sum_to_total(record(id));
  }
  EXPECT_EQ(record(retried).state, "done");
  EXPECT_EQ(record(retried).queue_seconds, 2.5);
  EXPECT_EQ(record(retried).earlier_seconds, 3);
  EXPECT_EQ(record(retried).attempts, 2);
  EXPECT_EQ(record(retried).written_bytes, 77);
  EXPECT_EQ(record(retried).error_code, "") << "what a later attempt made good is no failure";
  EXPECT_EQ(record(failed).state, "failed");
  EXPECT_EQ(record(failed).error_code, "out_of_memory");
  EXPECT_EQ(record(failed).error_fix, "ask for less");
  EXPECT_EQ(record(failed).unfinished_seconds, 2.5);
  EXPECT_EQ(record(cancelled).state, "cancelled");
  EXPECT_EQ(record(cancelled).unfinished_seconds, 3);
  EXPECT_EQ(record(cancelled).backend, "cpu") << "what was asked stays where no run told anything";
  EXPECT_EQ(record(expired).error_code, "deadline_exceeded");
  EXPECT_EQ(record(expired).queue_seconds, 0.1);
  EXPECT_EQ(record(waiting).queue_seconds, 0.7);
}

TEST_P(RunRecordTest, ViewsHaveExactlyTheColumnsOfTheOlderLayouts) {
  const std::vector<std::pair<std::string, std::string>> views = {
      {"performance_metrics",
       "id, timestamp, generation_id, generation_type, prompt_length, model_name, width, height, steps, "
       "cfg_scale, sampler, batch_size, total_time_seconds, queue_time_seconds, generation_time_seconds, "
       "vae_decode_time_seconds, vram_used_mb, vram_peak_mb, gpu_utilization_percent, cpu_usage_percent, "
       "temperature_celsius, output_file_size_mb, quality_score, used_cache, optimization_level"},
      {"bottleneck_events",
       "id, timestamp, generation_id, bottleneck_type, severity, description, recommendation"},
      {"generation_tasks",
       "id, model_type, prompt, resolution, steps, num_frames, fps, lora_path, lora_strength, status, "
       "progress, created_at, started_at, completed_at, output_path, error_message, model_used, "
       "generation_time_seconds, peak_vram_usage_mb, optimizations_applied, error_category, "
       "recovery_suggestions"}};
  JobStore store(database());
  NewJob added = new_job("o");
  added.job.request = R"({"prompt":"Ein Hügel"})";
  added.record.width = 96;
  added.record.height = 64;
  const std::string id = store.add(added, 10).job.id;
  store.request_cancel(id);
  database().write([&](Sql& sql) {
    sql.run(
        "INSERT INTO bottleneck (run, number, at_ms, kind, severity, share, description, recommendation, "
        "evidence) VALUES (?, 0, 1000, 'disk', 'high', 0.5, 'd', 'r', '{}')",
        {id});
  });
  for (const auto& named : views) {
    const std::string &view = named.first, &columns = named.second;
    const auto count = 1 + std::count(columns.begin(), columns.end(), ',');
    const auto rows = database().read(
        [&](Sql& sql) { return sql.rows("SELECT " + columns + " FROM " + view, static_cast<int>(count)); });
    ASSERT_EQ(rows.size(), 1U) << view;
    const std::string listed =
        GetParam() == "sqlite"
            ? "SELECT COUNT(*) FROM pragma_table_info('" + view + "')"
            : "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = current_schema() AND "
              "table_name = '" +
                  view + "'";
    EXPECT_EQ(database().read([&](Sql& sql) { return sql.integer(listed); }), count) << view;
  }
  database().write([&](Sql& sql) {
    sql.run("UPDATE job SET report = ? WHERE id = ?",
            {R"({"loras":[{"name":"style","weight":0.5},{"name":"light","weight":1}]})", id});
  });
  SqlRow lora = database().read(
      [&](Sql& sql) { return *sql.row("SELECT lora_path, lora_strength FROM generation_tasks", 2); });
  EXPECT_EQ(lora.text(), "style");
  EXPECT_EQ(lora.real(), 0.5);
  const auto row = database().read([&](Sql& sql) {
    return *sql.row("SELECT prompt, resolution, status, created_at FROM generation_tasks", 4);
  });
  SqlRow columns = row;
  EXPECT_EQ(columns.text(), "Ein Hügel");
  EXPECT_EQ(columns.text(), "96x64");
  EXPECT_EQ(columns.text(), "cancelled");
  EXPECT_EQ(columns.text(), "2026-11-22 00:00:00");
}

using ServiceRecords = ServiceTest;

// The parts are measured by clocks of their own, in other places of the code than the total.
TEST_F(ServiceRecords, OfRealJobsSayWhereTheTimeWent) {
  start();
  std::vector<std::string> ids;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Submission asked = submission("a castle", seed, 20);
    asked.fields.width = asked.fields.height = seed == 2 ? 192 : 128;
    ids.push_back(service_->submit(asked).id);
  }
  for (const std::string& id : ids) ASSERT_EQ(wait(id).state, JobState::kDone);
  Submission again = submission("a castle", 0, 20);
  again.fields.width = again.fields.height = 128;
  const std::string cached = service_->submit(again).id;
  const std::string gone = service_->submit(submission("to be cancelled", 9, 1000)).id;
  wait(gone, JobState::kRunning);
  service_->cancel(gone, "");
  ASSERT_EQ(wait(gone).state, JobState::kCancelled);

  const auto record = [&](const std::string& id) {
    return *database_->read([&](Sql& sql) { return find_record(sql, id); });
  };
  for (const std::string& id : ids) {
    const RunRecord made = record(id);
    expect_parts_sum_to_total(made);
    EXPECT_EQ(made.state, "done");
    EXPECT_EQ(made.model, "tiny-landscapes");
    EXPECT_EQ(made.kind, "text_to_image");
    EXPECT_EQ(made.steps_done, 20);
    EXPECT_EQ(made.prompt_length, 8);
    EXPECT_GT(made.flops.value_or(0), 1e9);
    EXPECT_GT(made.planned_peak_bytes.value_or(0), 1 << 20);
    // What it did beside is little: nothing hides there.
    EXPECT_LT(made.keep_seconds.value_or(1), 0.25 * *made.total_seconds + 0.1);
    const auto detail = nlohmann::json::parse(made.detail);
    EXPECT_EQ(detail["step_seconds"].size(), 20U);
    EXPECT_FALSE(detail["phases"].empty());
    EXPECT_GT(detail["peak_kinds"]["weights"].get<int64_t>(), 0);
  }
  EXPECT_TRUE(record(cached).cached);
  EXPECT_EQ(record(cached).state, "done");
  EXPECT_EQ(record(cached).denoise_seconds, std::nullopt) << "nothing ran";
  EXPECT_EQ(record(gone).state, "cancelled");
  EXPECT_GT(record(gone).unfinished_seconds.value_or(0), 0);
  expect_parts_sum_to_total(record(gone));
}

}  // namespace
}  // namespace snug
