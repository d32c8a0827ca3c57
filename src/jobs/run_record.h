// What is kept of every job for ever after: what was asked, what was planned, what happened. One row each,
// also of jobs that failed, were cancelled or were answered from the cache. Written by JobStore in the very
// transaction in which the job is accepted, and again where it ends, so that history is as durable as jobs
// are; it stays when the job itself is removed. Read by src/monitor.
//
// record_columns() is the one list of what a record has, with units: the rows (run_record_rows.h), JSON, CSV,
// documents and the checks of exports come from it. To add one: a member, a row in run_record.cc, a column in
// a new migration of schema.cc.
//
// Where the time went: queue + earlier + plan + load + encode + denoise + decode + write + keep + turn_wait +
// unfinished = total, all measured apart from each other. No prompt and no path is in a record.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <nlohmann/json_fwd.hpp>

namespace snug {

// Absent: not known, or not come yet. Times are milliseconds since 1970, UTC. Of a run that several jobs
// shared each has the whole run's figures; `pictures` of `batch` were its own.
struct RunRecord {
  std::string id;  // the job's
  std::string owner, api, state;

  // Asked, every field settled.
  std::string kind;  // "text_to_image", "image_to_image", "inpainting", "text_to_video", "image_to_video"
  std::string model, architecture, sampler, precision;
  int64_t width = 0, height = 0, frames = 1, steps = 0, pictures = 1;
  std::optional<double> fps;
  double guidance_scale = 0;
  int64_t prompt_length = 0;  // characters

  // How it went.
  int64_t created_ms = 0;
  std::optional<int64_t> started_ms, finished_ms;  // the first attempt's start
  int64_t attempts = 0;
  bool cached = false;  // answered without a run
  bool kept = false;    // the run found its weights in memory
  std::string error_code, error_stage, error_problem, error_fix;
  std::optional<int64_t> steps_done, batch, threads;
  std::string machine, backend;  // processor and instruction set

  // Seconds, measured.
  std::optional<double> total_seconds, queue_seconds, earlier_seconds;
  std::optional<double> plan_seconds, load_seconds, encode_seconds, denoise_seconds, decode_seconds,
      write_seconds, keep_seconds, turn_wait_seconds, unfinished_seconds;

  // Plan beside actual, of the phases (pipeline/run_report.h).
  std::optional<double> predicted_seconds, phases_seconds, predicted_waiting_seconds, waiting_seconds;
  std::optional<int64_t> budget_bytes, planned_peak_bytes, peak_bytes, arena_bytes;
  std::optional<int64_t> streamed_bytes, spilled_bytes, passes, bands;
  std::optional<int64_t> read_bytes, written_bytes;
  std::optional<double> flops;

  // What the machine did meanwhile, measured (machine_use.h has the rest, in `detail`).
  std::optional<double> cpu_percent, other_cpu_percent, process_cpu_seconds;
  std::optional<int64_t> disk_read_bytes, major_faults;
  std::optional<double> throttled_seconds, memory_pressure_seconds, io_pressure_seconds, cpu_pressure_seconds;
  std::optional<double> temperature_celsius, gpu_utilization_percent;
  std::optional<int64_t> gpu_memory_bytes;

  // JSON, kept beside the row: {"phases", "step_seconds", "peak_kinds", "machine", "changes"}. Empty where
  // it was not asked for, or there was no run.
  std::string detail;
};

struct RecordColumn {
  std::string_view name;
  std::variant<std::string RunRecord::*, int64_t RunRecord::*, bool RunRecord::*, double RunRecord::*,
               std::optional<int64_t> RunRecord::*, std::optional<double> RunRecord::*>
      member;
  std::string_view unit;   // "seconds", "bytes", "ms", "percent", "1"; "text"
  std::string_view basis;  // "measured", "predicted", "configured", "asked"
  std::string_view meaning;
};

// In the order of the table's columns; without `detail`.
std::span<const RecordColumn> record_columns();

// One object with the columns' names; absent numbers are null, empty texts too.
nlohmann::ordered_json record_json(const RunRecord& record);
// The value of one column.
nlohmann::ordered_json column_json(const RunRecord& record, const RecordColumn& column);
// Back, for tests and imports: what record_json gave. Throws invalid_argument for a wrong type.
RunRecord record_from_json(const nlohmann::ordered_json& json);

// The list as a Markdown table, for docs/observability.md.
std::string describe_records();

}  // namespace snug
