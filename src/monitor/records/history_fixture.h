// For tests and `./dev bench observe`: a history as long as one likes, made inside the database in one
// statement. Jobs end evenly over the time given; three models in four sizes, one in ten answered from the
// cache, one in fifty failed, one in a hundred cancelled; times vary by some percent and depend on size and
// steps as real ones do. No number is random: the same call gives the same rows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "jobs/database.h"

namespace snug::testing {

struct MadeHistory {
  int64_t records = 100'000;
  int64_t from_ms = 0, to_ms = 0;  // the ends of the first and the last job
  std::string machine = "Made-up CPU avx512";
};

// Ids are "made-0" and so on; the table has none of them yet.
inline void make_history(Database& database, const MadeHistory& history) {
  // x: 0..1, different for neighbours; s: generation seconds.
  constexpr std::string_view kStatement = R"(
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}),
facts(i, x, model, side, steps, outcome, ended) AS (SELECT i, (i * 7919 % 1009) / 1009.0, i % 3,
  CASE (i / 3) % 4 WHEN 0 THEN 256 WHEN 1 THEN 512 WHEN 2 THEN 768 ELSE 1024 END,
  CASE i % 2 WHEN 0 THEN 20 ELSE 30 END,
  CASE WHEN i % 100 = 7 THEN 'cancelled' WHEN i % 50 = 13 THEN 'failed' ELSE 'done' END,
  {from} + i * {step} FROM n),
timed(i, x, model, side, steps, outcome, ended, cached, s, q) AS (SELECT i, x, model, side, steps, outcome,
  ended, CASE WHEN i % 10 = 5 AND outcome = 'done' THEN 1 ELSE 0 END,
  (0.2 + side * side / 1048576.0 * steps * 0.4 * (1 + model)) * (0.95 + 0.1 * x), 2.0 * x * x FROM facts)
INSERT INTO run_record (id, owner, api, state, kind, model, architecture, sampler, precision, width, height,
  frames, steps, pictures, fps, guidance_scale, prompt_length, created_ms, started_ms, finished_ms, attempts,
  cached, kept, error_code, error_stage, error_problem, error_fix, steps_done, batch, threads, machine,
  backend, total_seconds, queue_seconds, earlier_seconds, plan_seconds, load_seconds, encode_seconds,
  denoise_seconds, decode_seconds, write_seconds, keep_seconds, turn_wait_seconds, unfinished_seconds,
  predicted_seconds, phases_seconds, predicted_waiting_seconds, waiting_seconds, budget_bytes,
  planned_peak_bytes, peak_bytes, arena_bytes, streamed_bytes, spilled_bytes, passes, bands, read_bytes,
  written_bytes, flops, cpu_percent, other_cpu_percent, process_cpu_seconds, disk_read_bytes, major_faults,
  throttled_seconds, memory_pressure_seconds, io_pressure_seconds, cpu_pressure_seconds,
  temperature_celsius, analysed_ms)
SELECT 'made-' || i, '', 'native', outcome, 'text_to_image', 'model-' || model, 'Stable Diffusion 1',
  'dpmpp_2m_karras', 'bf16', side, side, 1, steps, 1, NULL, 7.5, 60, ended - CAST((s + q) * 1000 AS BIGINT),
  ended - CAST(s * 1000 AS BIGINT), ended, 1, cached, CASE WHEN i % 4 = 0 THEN 0 ELSE 1 END,
  CASE outcome WHEN 'failed' THEN 'out_of_memory' ELSE '' END, '', '', '', steps, 1, 8, '{machine}', 'cpu',
  CASE cached WHEN 1 THEN 0.01 ELSE s + q END, CASE cached WHEN 1 THEN 0 ELSE q END, 0, 0.02 * s, 0.05 * s,
  0.03 * s, 0.70 * s, 0.15 * s, 0.03 * s, 0.02 * s, 0, NULL, 0.85 * s, 0.88 * s, 0.01 * s, 0.01 * s,
  8000000000, 4000000000, 3900000000, 3000000000, 0, 0, 1, 1, 2000000000, 400000, s * 500000000000.0, 90, 3,
  s * 7, 0, 2, 0, 0, 0, 0.01 * s, 60, ended FROM timed)";
  const int64_t step = history.records > 1 ? (history.to_ms - history.from_ms) / (history.records - 1) : 0;
  database.write([&](Sql& sql) {
    sql.run(fmt::format(fmt::runtime(kStatement), fmt::arg("count", history.records),
                        fmt::arg("from", history.from_ms), fmt::arg("step", step),
                        fmt::arg("machine", history.machine)));
  });
}

}  // namespace snug::testing
