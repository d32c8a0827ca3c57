#include "jobs/schema.h"

#include <array>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

// A released migration is never changed; what comes after is a new one at the end.
constexpr std::array kVersion1 = {
    R"(CREATE TABLE job (
      id TEXT PRIMARY KEY,
      owner TEXT NOT NULL, api TEXT NOT NULL, state TEXT NOT NULL, priority BIGINT NOT NULL,
      created_ms BIGINT NOT NULL, started_ms BIGINT, finished_ms BIGINT, deadline_ms BIGINT,
      request TEXT NOT NULL, prompt TEXT NOT NULL, address TEXT NOT NULL,
      idempotency_key TEXT, request_digest TEXT NOT NULL, pictures_asked BIGINT NOT NULL,
      attempts BIGINT NOT NULL, not_before_ms BIGINT,
      planned_peak_bytes BIGINT, planned_seconds DOUBLE PRECISION, reserved_bytes BIGINT NOT NULL,
      use_seconds DOUBLE PRECISION NOT NULL,
      step BIGINT NOT NULL, steps BIGINT NOT NULL, checkpoint TEXT NOT NULL, checkpoint_step BIGINT NOT NULL,
      cancel_requested BIGINT NOT NULL, from_cache BIGINT NOT NULL,
      error_code TEXT NOT NULL, error TEXT NOT NULL, report TEXT NOT NULL,
      UNIQUE (owner, idempotency_key)))",
    "CREATE INDEX job_by_state ON job (state, id)",
    "CREATE INDEX job_by_owner ON job (owner, id)",
    "CREATE INDEX job_by_checkpoint ON job (checkpoint) WHERE checkpoint <> ''",
    // What the scheduler asks for again and again, without a look at the rows.
    "CREATE INDEX job_by_turn ON job (owner, priority DESC, id, planned_seconds, not_before_ms, deadline_ms, "
    "attempts) WHERE state = 'queued'",
    "CREATE INDEX job_by_deadline ON job (deadline_ms) WHERE state = 'queued' AND attempts = 0",
    "CREATE INDEX job_by_not_before ON job (not_before_ms) WHERE state = 'queued'",
    R"(CREATE TABLE picture (
      job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE, number BIGINT NOT NULL,
      blob TEXT NOT NULL, bytes BIGINT NOT NULL, format TEXT NOT NULL,
      width BIGINT NOT NULL, height BIGINT NOT NULL, seed TEXT NOT NULL,
      PRIMARY KEY (job, number)))",
    "CREATE INDEX picture_by_blob ON picture (blob)",
    R"(CREATE TABLE job_input (
      job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE, blob TEXT NOT NULL, PRIMARY KEY (job, blob)))",
    "CREATE INDEX job_input_by_blob ON job_input (blob)",
    "CREATE TABLE owner_use (owner TEXT PRIMARY KEY, level DOUBLE PRECISION NOT NULL)",
    R"(CREATE TABLE upload (
      blob TEXT NOT NULL, owner TEXT NOT NULL, created_ms BIGINT NOT NULL, bytes BIGINT NOT NULL,
      format TEXT NOT NULL, width BIGINT NOT NULL, height BIGINT NOT NULL, PRIMARY KEY (blob, owner)))",
    R"(CREATE TABLE cache_entry (
      kind TEXT NOT NULL, address TEXT NOT NULL, value TEXT NOT NULL, bytes BIGINT NOT NULL,
      created_ms BIGINT NOT NULL, used_ms BIGINT NOT NULL, hits BIGINT NOT NULL,
      PRIMARY KEY (kind, address)))",
    "CREATE INDEX cache_entry_by_use ON cache_entry (kind, used_ms)",
    R"(CREATE TABLE cache_blob (
      kind TEXT NOT NULL, address TEXT NOT NULL, number BIGINT NOT NULL, blob TEXT NOT NULL,
      PRIMARY KEY (kind, address, number),
      FOREIGN KEY (kind, address) REFERENCES cache_entry (kind, address) ON DELETE CASCADE))",
    "CREATE INDEX cache_blob_by_blob ON cache_blob (blob)",
    R"(CREATE TABLE cache_count (
      kind TEXT PRIMARY KEY, hits BIGINT NOT NULL, misses BIGINT NOT NULL, evictions BIGINT NOT NULL))",
    R"(CREATE TABLE token (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,
      quota_pictures BIGINT, quota_seconds DOUBLE PRECISION, quota_bytes BIGINT,
      created_ms BIGINT NOT NULL, revoked_ms BIGINT, last_used_ms BIGINT))",
    R"(CREATE TABLE daily_usage (
      owner TEXT NOT NULL, day TEXT NOT NULL, pictures BIGINT NOT NULL, seconds DOUBLE PRECISION NOT NULL,
      bytes BIGINT NOT NULL, PRIMARY KEY (owner, day)))",
};

// Whether previews are wanted.
constexpr std::array kVersion2 = {
    "ALTER TABLE job ADD COLUMN previews BIGINT NOT NULL DEFAULT 0",
};

// Records of jobs, which outlive them (run_record.h), and what is found out about them: a bottleneck is one
// finding about one run. The two views have the columns by which older systems kept the same, so that what
// was written to ask those goes on; what Snug does not know is NULL in them.
constexpr std::array kVersion3 = {
    "ALTER TABLE job ADD COLUMN begun_ms BIGINT",
    "ALTER TABLE job ADD COLUMN earlier_seconds DOUBLE PRECISION NOT NULL DEFAULT 0",
    R"(CREATE TABLE run_record (
      id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, api TEXT NOT NULL, state TEXT NOT NULL,
      kind TEXT NOT NULL, model TEXT NOT NULL, architecture TEXT NOT NULL, sampler TEXT NOT NULL,
      precision TEXT NOT NULL, width BIGINT NOT NULL, height BIGINT NOT NULL,
      frames BIGINT NOT NULL, steps BIGINT NOT NULL, pictures BIGINT NOT NULL,
      fps DOUBLE PRECISION, guidance_scale DOUBLE PRECISION NOT NULL,
      prompt_length BIGINT NOT NULL, created_ms BIGINT NOT NULL, started_ms BIGINT,
      finished_ms BIGINT, attempts BIGINT NOT NULL, cached BIGINT NOT NULL, kept BIGINT NOT NULL,
      error_code TEXT NOT NULL, error_stage TEXT NOT NULL, error_problem TEXT NOT NULL,
      error_fix TEXT NOT NULL, steps_done BIGINT, batch BIGINT, threads BIGINT,
      machine TEXT NOT NULL, backend TEXT NOT NULL, total_seconds DOUBLE PRECISION,
      queue_seconds DOUBLE PRECISION, earlier_seconds DOUBLE PRECISION,
      plan_seconds DOUBLE PRECISION, load_seconds DOUBLE PRECISION,
      encode_seconds DOUBLE PRECISION, denoise_seconds DOUBLE PRECISION,
      decode_seconds DOUBLE PRECISION, write_seconds DOUBLE PRECISION,
      keep_seconds DOUBLE PRECISION, turn_wait_seconds DOUBLE PRECISION,
      unfinished_seconds DOUBLE PRECISION, predicted_seconds DOUBLE PRECISION,
      phases_seconds DOUBLE PRECISION, predicted_waiting_seconds DOUBLE PRECISION,
      waiting_seconds DOUBLE PRECISION, budget_bytes BIGINT, planned_peak_bytes BIGINT,
      peak_bytes BIGINT, arena_bytes BIGINT, streamed_bytes BIGINT, spilled_bytes BIGINT,
      passes BIGINT, bands BIGINT, read_bytes BIGINT, written_bytes BIGINT, flops DOUBLE PRECISION,
      cpu_percent DOUBLE PRECISION, other_cpu_percent DOUBLE PRECISION,
      process_cpu_seconds DOUBLE PRECISION, disk_read_bytes BIGINT, major_faults BIGINT,
      throttled_seconds DOUBLE PRECISION, memory_pressure_seconds DOUBLE PRECISION,
      io_pressure_seconds DOUBLE PRECISION, cpu_pressure_seconds DOUBLE PRECISION,
      temperature_celsius DOUBLE PRECISION, gpu_utilization_percent DOUBLE PRECISION,
      gpu_memory_bytes BIGINT,
      analysed_ms BIGINT))",
    "CREATE TABLE run_detail (id TEXT PRIMARY KEY, detail TEXT NOT NULL)",
    "CREATE INDEX run_record_by_creation ON run_record (created_ms)",
    "CREATE INDEX run_record_by_end ON run_record (finished_ms)",
    "CREATE INDEX run_record_by_group ON run_record (model, width, height, machine, finished_ms)",
    "CREATE INDEX run_record_to_analyse ON run_record (finished_ms) WHERE analysed_ms IS NULL",
    R"(CREATE TABLE bottleneck (
      run TEXT NOT NULL, number BIGINT NOT NULL, at_ms BIGINT NOT NULL, kind TEXT NOT NULL,
      severity TEXT NOT NULL, share DOUBLE PRECISION NOT NULL, description TEXT NOT NULL,
      recommendation TEXT NOT NULL, evidence TEXT NOT NULL, PRIMARY KEY (run, number)))",
    "CREATE INDEX bottleneck_by_time ON bottleneck (at_ms)",
    R"(CREATE VIEW performance_metrics AS SELECT
      id, {time created_ms} AS timestamp, id AS generation_id, kind AS generation_type, prompt_length,
      model AS model_name, width, height, steps, guidance_scale AS cfg_scale, sampler, batch AS batch_size,
      total_seconds AS total_time_seconds, queue_seconds AS queue_time_seconds,
      total_seconds - queue_seconds AS generation_time_seconds, decode_seconds AS vae_decode_time_seconds,
      gpu_memory_bytes / 1048576.0 AS vram_used_mb, gpu_memory_bytes / 1048576.0 AS vram_peak_mb,
      gpu_utilization_percent, cpu_percent AS cpu_usage_percent, temperature_celsius,
      written_bytes / 1048576.0 AS output_file_size_mb, CAST(NULL AS DOUBLE PRECISION) AS quality_score,
      cached AS used_cache, {measures} AS optimization_level
      FROM run_record WHERE state IN ('done', 'failed', 'cancelled'))",
    R"(CREATE VIEW bottleneck_events AS SELECT
      run || '-' || number AS id, {time at_ms} AS timestamp, run AS generation_id, kind AS bottleneck_type,
      severity, description, recommendation FROM bottleneck)",
    R"(CREATE VIEW generation_tasks AS SELECT
      r.id AS id, r.architecture AS model_type, {text job.request prompt} AS prompt,
      r.width || 'x' || r.height AS resolution, r.steps AS steps, r.frames AS num_frames, r.fps AS fps,
      CAST(NULL AS TEXT) AS lora_path, CAST(NULL AS DOUBLE PRECISION) AS lora_strength,
      CASE COALESCE(job.state, r.state) WHEN 'queued' THEN 'pending' WHEN 'planned' THEN 'pending'
        WHEN 'running' THEN 'processing' WHEN 'done' THEN 'completed'
        ELSE COALESCE(job.state, r.state) END AS status,
      CASE WHEN r.state = 'done' THEN 100
        ELSE 100 * COALESCE(job.step, r.steps_done, 0) / CASE WHEN r.steps > 0 THEN r.steps ELSE 1 END
        END AS progress,
      {time r.created_ms} AS created_at, {time r.started_ms} AS started_at,
      {time r.finished_ms} AS completed_at,
      CASE WHEN r.state = 'done' THEN '/api/v1/jobs/' || r.id || '/images/0' END AS output_path,
      CASE WHEN r.error_problem <> '' THEN r.error_problem END AS error_message, r.model AS model_used,
      r.total_seconds - r.queue_seconds AS generation_time_seconds,
      r.gpu_memory_bytes / 1048576.0 AS peak_vram_usage_mb, {measures} AS optimizations_applied,
      CASE WHEN r.error_code <> '' THEN r.error_code END AS error_category,
      CASE WHEN r.error_fix <> '' THEN r.error_fix END AS recovery_suggestions
      FROM run_record r LEFT JOIN job ON job.id = r.id)",
};

// What the machine did (monitor/samples), which alerts there were (monitor/alerts), and which advice was
// applied, predicted beside measured (monitor/advice). `resolution` is the
// milliseconds that a row stands for, 0 of a single sample.
constexpr std::array kVersion4 = {
    "CREATE TABLE sample_layout (id BIGINT PRIMARY KEY, names TEXT NOT NULL UNIQUE)",
    R"(CREATE TABLE sample (
      resolution BIGINT NOT NULL, start_ms BIGINT NOT NULL, samples BIGINT NOT NULL,
      layout BIGINT NOT NULL REFERENCES sample_layout (id), figures TEXT NOT NULL,
      PRIMARY KEY (resolution, start_ms)))",
    R"(CREATE TABLE alert_event (
      id BIGINT PRIMARY KEY, time_ms BIGINT NOT NULL, kind TEXT NOT NULL, level TEXT NOT NULL,
      change TEXT NOT NULL, value DOUBLE PRECISION, threshold DOUBLE PRECISION NOT NULL))",
    R"(CREATE TABLE alert_state (
      kind TEXT NOT NULL, level TEXT NOT NULL, since_ms BIGINT NOT NULL, PRIMARY KEY (kind, level)))",
    R"(CREATE TABLE advice (
      id TEXT NOT NULL, at_ms BIGINT NOT NULL, category TEXT NOT NULL, title TEXT NOT NULL,
      setting TEXT NOT NULL, old_value TEXT NOT NULL, new_value TEXT NOT NULL, figure TEXT NOT NULL,
      jobs BIGINT NOT NULL, pairs BIGINT NOT NULL,
      predicted_before DOUBLE PRECISION NOT NULL, predicted_after DOUBLE PRECISION NOT NULL,
      measured_before DOUBLE PRECISION NOT NULL, measured_after DOUBLE PRECISION NOT NULL,
      ratio DOUBLE PRECISION NOT NULL, low_ratio DOUBLE PRECISION NOT NULL,
      high_ratio DOUBLE PRECISION NOT NULL, kept BIGINT NOT NULL, backup TEXT NOT NULL, basis TEXT NOT NULL,
      PRIMARY KEY (id, at_ms)))",
};

// The first LoRA of a job, by its report.
constexpr std::array kVersion5 = {
    "DROP VIEW generation_tasks",
    R"(CREATE VIEW generation_tasks AS SELECT
      r.id AS id, r.architecture AS model_type, {text job.request prompt} AS prompt,
      r.width || 'x' || r.height AS resolution, r.steps AS steps, r.frames AS num_frames, r.fps AS fps,
      CASE WHEN job.report <> '' THEN {text job.report loras.0.name} END AS lora_path,
      CASE WHEN job.report <> '' THEN CAST({text job.report loras.0.weight} AS DOUBLE PRECISION) END
        AS lora_strength,
      CASE COALESCE(job.state, r.state) WHEN 'queued' THEN 'pending' WHEN 'planned' THEN 'pending'
        WHEN 'running' THEN 'processing' WHEN 'done' THEN 'completed'
        ELSE COALESCE(job.state, r.state) END AS status,
      CASE WHEN r.state = 'done' THEN 100
        ELSE 100 * COALESCE(job.step, r.steps_done, 0) / CASE WHEN r.steps > 0 THEN r.steps ELSE 1 END
        END AS progress,
      {time r.created_ms} AS created_at, {time r.started_ms} AS started_at,
      {time r.finished_ms} AS completed_at,
      CASE WHEN r.state = 'done' THEN '/api/v1/jobs/' || r.id || '/images/0' END AS output_path,
      CASE WHEN r.error_problem <> '' THEN r.error_problem END AS error_message, r.model AS model_used,
      r.total_seconds - r.queue_seconds AS generation_time_seconds,
      r.gpu_memory_bytes / 1048576.0 AS peak_vram_usage_mb, {measures} AS optimizations_applied,
      CASE WHEN r.error_code <> '' THEN r.error_code END AS error_category,
      CASE WHEN r.error_fix <> '' THEN r.error_fix END AS recovery_suggestions
      FROM run_record r LEFT JOIN job ON job.id = r.id)",
};

// Clips beside pictures: what a picture has not is NULL, or empty.
constexpr std::array kVersion6 = {
    "ALTER TABLE picture ADD COLUMN frames BIGINT",
    "ALTER TABLE picture ADD COLUMN fps DOUBLE PRECISION",
    "ALTER TABLE picture ADD COLUMN poster TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE picture ADD COLUMN poster_bytes BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX picture_by_poster ON picture (poster) WHERE poster <> ''",
};

// What a run did to get along with its budget, as one word.
constexpr std::string_view kMeasuresSql =
    "CASE WHEN spilled_bytes > 0 THEN 'spilled' WHEN streamed_bytes > 0 THEN 'streamed' "
    "WHEN bands > 1 OR passes > 1 THEN 'split' WHEN bands IS NOT NULL THEN 'none' END";

// A member of the JSON in a column: "prompt", or "loras.0.name" of the first element of a list.
std::string member_of(const std::string& column, const std::string& key, bool postgresql) {
  std::string path = postgresql ? std::string() : "$";
  std::istringstream parts(key);
  for (std::string part; std::getline(parts, part, '.');) {
    const bool number = part.find_first_not_of("0123456789") == std::string::npos;
    if (postgresql) {
      path += (path.empty() ? "" : ",") + part;
    } else {
      path += number ? "[" + part + "]" : "." + part;
    }
  }
  return postgresql ? fmt::format("CAST({} AS json) #>> '{{{}}}'", column, path)
                    : fmt::format("json_extract({}, '{}')", column, path);
}

// Where the databases differ: {time MS} is a time as text, {text COLUMN KEY} a member of the JSON in a
// column.
std::string in_dialect(std::string_view statement, bool postgresql) {
  std::string result;
  for (size_t at = 0; at < statement.size();) {
    const size_t begin = statement.find('{', at);
    result += statement.substr(at, begin - at);
    if (begin == std::string_view::npos) break;
    const size_t end = statement.find('}', begin);
    std::istringstream words(std::string(statement.substr(begin + 1, end - begin - 1)));
    std::string what, column, key;
    words >> what >> column >> key;
    if (what == "measures") {
      result += kMeasuresSql;
    } else if (what == "time") {
      result += postgresql ? fmt::format(
                                 "to_char(to_timestamp({} / 1000) AT TIME ZONE 'UTC', "
                                 "'YYYY-MM-DD HH24' || chr(58) || 'MI' || chr(58) || 'SS')",
                                 column)
                           : fmt::format("datetime({} / 1000, 'unixepoch')", column);
    } else {
      result += member_of(column, key, postgresql);
    }
    at = end + 1;
  }
  return result;
}

using Migration = std::span<const char* const>;
const std::array kMigrations = {Migration(kVersion1), Migration(kVersion2), Migration(kVersion3),
                                Migration(kVersion4), Migration(kVersion5), Migration(kVersion6)};

}  // namespace

void migrate(Sql& sql, bool postgresql) {
  sql.run("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)");
  const int64_t present = sql.integer("SELECT MAX(version) FROM schema_version");
  const auto newest = static_cast<int64_t>(kMigrations.size());
  if (present > newest) {
    throw Error(
        ErrorCode::kStoreError,
        fmt::format("the database has version {} of the tables, this program knows {}", present, newest),
        "use the newer program that wrote it");
  }
  for (int64_t version = present; version < newest; ++version) {
    for (const char* statement : kMigrations.at(static_cast<size_t>(version)))
      sql.run(in_dialect(statement, postgresql));
    sql.run("INSERT INTO schema_version (version) VALUES (?)", {version + 1});
  }
}

}  // namespace snug
