// What happened in a run, beside what was planned: returned by generate, logged, and kept by record_run.
// Seconds and bytes are measured unless the name says planned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snug {

struct RunReport {
  std::string model, architecture, sampler, precision, backend;
  int64_t width = 0, height = 0, steps = 0, batch = 0;
  double guidance_scale = 0;
  uint64_t seed = 0;

  int64_t tokens = 0;          // of the prompt
  int64_t dropped_tokens = 0;  // beyond what was kept with truncate_prompt

  double plan_seconds = 0, load_seconds = 0, encode_seconds = 0, denoise_seconds = 0, decode_seconds = 0,
         write_seconds = 0, total_seconds = 0;
  std::vector<double> step_seconds;
  uint64_t read_bytes = 0;     // of weights
  uint64_t written_bytes = 0;  // of pictures

  std::vector<std::string> changes;  // what had to change to fit the budget, with the user's leave
  uint64_t budget_bytes = 0;         // configured, or what was available
  double predicted_seconds = 0;      // of all phases, by the plan
  uint64_t planned_arena_bytes = 0, used_arena_bytes = 0;  // used: the high-water mark
  uint64_t planned_peak_bytes = 0;
  std::optional<uint64_t> peak_bytes;  // of the process, by the kernel; absent when the run did not begin it

  std::vector<std::string> outputs;      // paths written
  std::vector<std::string> assumptions;  // what the model's files left open and how it was filled
  std::string error_code;                // the error's word; empty when the run succeeded
  std::string error;                     // its line
  std::string stage;                     // where it happened
};

// One JSON object; what is unknown is null.
std::string to_json(const RunReport& report);

}  // namespace snug
