// What happened in a run, beside what was planned: returned by generate, logged, and kept by record_run.
// Seconds and bytes are measured unless the name says planned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/way_out.h"

namespace snug {

// One phase of the plan. Predicted when the plan was made; the rest measured, of runs that were done.
struct PhaseReport {
  std::string name, stage;
  int runs = 0;  // planned
  double predicted_seconds = 0, seconds = 0;
  double predicted_stall_seconds = 0, stall_seconds = 0;  // kernels waiting for weights
  uint64_t read_bytes = 0;
  // The nominal work of all planned runs, by the ops' definitions: bytes are those of each operand, once.
  double flops = 0, bytes = 0;
  // Planned: what the phase does to get along with its budget, in words and in numbers. Streamed and spilled
  // are of one run, bands the most that an operator is computed in.
  std::vector<std::string> measures;  // "bands: 34 operators by rows, in up to 12 bands"
  uint64_t streamed_bytes = 0, spilled_bytes = 0;
  int passes = 1, bands = 1;
};

// A LoRA that was on the model.
struct LoraReport {
  std::string name;
  double weight = 1;
  int64_t modules = 0;                   // of the model, changed by it
  std::vector<std::string> unused_keys;  // that nothing in the model takes
};

struct RunReport {
  std::string model, architecture, sampler, precision, backend;
  std::vector<LoraReport> loras;
  std::string precision_reason;  // of --precision auto; empty otherwise
  int threads = 0;               // that computed
  int64_t width = 0, height = 0, steps = 0, batch = 0;
  double guidance_scale = 0;
  uint64_t seed = 0;

  int64_t tokens = 0;          // of the prompt
  int64_t dropped_tokens = 0;  // beyond what was kept with truncate_prompt

  double plan_seconds = 0, load_seconds = 0, encode_seconds = 0, denoise_seconds = 0, decode_seconds = 0,
         write_seconds = 0, total_seconds = 0;
  bool weights_kept = false;     // by an earlier run of this process: only what is streamed was read
  double turn_wait_seconds = 0;  // of the total, and of no stage: while other runs of this process computed
  // Of a run that went on from a checkpoint: the calls of the model, and the frames of a clip, that were done
  // before and not again.
  std::optional<int64_t> resumed_calls, resumed_frames;
  std::vector<double> step_seconds;
  uint64_t read_bytes = 0;     // of weights
  uint64_t written_bytes = 0;  // of pictures

  std::optional<double> asked_seconds;     // of a request with a time: what the user has
  std::optional<double> promised_seconds;  // and within which it should end, predicted with past errors
  std::vector<std::string> changes;        // what had to change to fit the budget, with the user's leave
  uint64_t budget_bytes = 0;               // configured, or what was available
  std::string budget_limited_by;           // "--memory", "available memory", ...
  double predicted_seconds = 0;            // of all phases, by the plan
  std::string rates;                       // what that rests on: "built_in", "measured", "refined"
  std::vector<PhaseReport> phases;         // in the plan's order
  uint64_t planned_arena_bytes = 0, used_arena_bytes = 0;  // used: the high-water mark
  uint64_t planned_peak_bytes = 0;
  // What planned_peak_bytes is the sum of: bytes alive at the arena's fullest instant, by kind, and what the
  // process and the pipeline hold beside it. Names and order as in the plan's JSON (plan_figures.h). Empty
  // before there is a plan.
  std::vector<std::pair<std::string, uint64_t>> peak_kinds;
  std::optional<uint64_t> peak_bytes;  // of the process, by the kernel, without what it keeps of
                                       // other runs; absent when the run was not alone, or did not begin it

  std::vector<std::string> outputs;      // paths written
  std::vector<std::string> assumptions;  // what the model's files left open and how it was filled
  std::string error_code;                // the error's word; empty when the run succeeded
  std::string error;                     // its line
  std::string stage;                     // where it happened
  std::vector<WayOut> ways_out;          // of over_budget

  // Of all phases, to compare with predicted_seconds: what lies between them is in no prediction.
  double phase_seconds() const {
    double sum = 0;
    for (const PhaseReport& phase : phases) sum += phase.seconds;
    return sum;
  }
};

// One JSON object; what is unknown is null.
std::string to_json(const RunReport& report);

// [{"flag", "meaning", "memory_bytes", "width", "height", "precision"}].
nlohmann::ordered_json ways_out_json(const std::vector<WayOut>& ways);

}  // namespace snug
