// For the tests of the pages: a year of a service's jobs, 100 000, with what was found about them, put into a
// SQLite database by one statement each.
#pragma once

#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "jobs/database.h"

namespace snug::testing {

inline constexpr int64_t kYearJobs = 100'000;

// The last job ends at `end_ms`; one in 50 fails, one in 100 is cancelled, one in 8 is from the cache.
inline void add_year_of_history(Database& database, int64_t end_ms) {
  const int64_t apart_ms = int64_t{365} * 86'400'000 / kYearJobs;
  const std::string counted = fmt::format(
      "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {}) ", kYearJobs - 1);
  const std::string ended = fmt::format("{} - {} * ({} - i)", end_ms, apart_ms, kYearJobs - 1);
  database.write([&](Sql& sql) {
    sql.run(
        "INSERT INTO run_record (id, owner, api, state, kind, model, architecture, sampler, precision, "
        "width, height, frames, steps, pictures, guidance_scale, prompt_length, created_ms, started_ms, "
        "finished_ms, attempts, cached, kept, error_code, error_stage, error_problem, error_fix, machine, "
        "backend, total_seconds, queue_seconds, load_seconds, denoise_seconds, decode_seconds, "
        "predicted_seconds, phases_seconds, waiting_seconds, planned_peak_bytes, peak_bytes, budget_bytes, "
        "streamed_bytes, spilled_bytes, passes, bands, cpu_percent, analysed_ms) " +
        counted +
        fmt::format("SELECT printf('%026d', i), CASE i % 3 WHEN 0 THEN 'ann' ELSE 'ben' END, 'native', "
                    "CASE WHEN i % 50 = 1 THEN 'failed' WHEN i % 100 = 3 THEN 'cancelled' ELSE 'done' END, "
                    "'text_to_image', 'model-' || (i % 4), 'stable-diffusion', 'euler', 'f32', "
                    "64 * (1 + i % 3), 64, 1, 20, 1, 7.5, 30, {0} - 9000, {0} - 8000, {0}, 1, i % 8 = 0, "
                    "i % 5 = 0, CASE WHEN i % 50 = 1 THEN 'over_budget' ELSE '' END, '', '', '', 'one', "
                    "'cpu', 9.0, 1.0, 0.5, 6.0 + (i % 17) * 0.05, 0.5, 7.0, 7.0 + (i % 13) * 0.1, "
                    "0.25, 700000000, 690000000 + i % 1000, 800000000, i % 2 * 1000000, 0, 1, 1, 80.0, {0} "
                    "FROM n",
                    ended));
    sql.run(
        "INSERT INTO bottleneck (run, number, at_ms, kind, severity, share, description, recommendation, "
        "evidence) " +
        counted +
        fmt::format("SELECT printf('%026d', i), 0, {}, CASE i % 4 WHEN 0 THEN 'queue' ELSE 'compute' END, "
                    "'info', 0.5, 'most of it', '', '{{}}' FROM n",
                    ended));
    sql.run("INSERT INTO run_detail (id, detail) SELECT id, '{\"peak_kinds\"" + std::string(1, ':') +
            "{\"arena\"" + std::string(1, ':') + "5}}' FROM run_record");
  });
}

}  // namespace snug::testing
