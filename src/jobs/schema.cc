#include "jobs/schema.h"

#include <array>
#include <span>

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

using Migration = std::span<const char* const>;
const std::array kMigrations = {Migration(kVersion1), Migration(kVersion2)};

}  // namespace

void migrate(Sql& sql) {
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
    for (const char* statement : kMigrations.at(static_cast<size_t>(version))) sql.run(statement);
    sql.run("INSERT INTO schema_version (version) VALUES (?)", {version + 1});
  }
}

}  // namespace snug
