// What a plan says beyond its own fields, computed from it once for all who tell it (print_plan.h,
// plan_json.h, plan_svg.h): how full the arena is in each phase and of what, when each instruction and load
// happens, and what each measure saves and costs against the plan that has all memory.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plan/plan.h"
#include "plan/rates.h"
#include "plan/timeline.h"

namespace snug {

struct PhaseFigures {
  // Alive at the phase's fullest instant, by BufferKind, and their sum.
  std::array<uint64_t, kBufferKinds> kind_bytes = {};
  uint64_t live_bytes = 0;
  // From files; `later` is what each run after the first reads again.
  uint64_t first_read_bytes = 0, later_read_bytes = 0;
  double kernel_seconds = 0;  // of one run, predicted, without waiting
  double stall_seconds = 0;   // of all runs: kernels waiting for weights
  RunTimes first, later;      // `later` is empty when there is one run
};

// One measure in one phase. Bytes of the peak that it saves in that phase, and seconds of the whole run that
// it costs: what the phase would have more and take less without it.
struct MeasureEffect {
  size_t phase = 0;
  std::string name;     // "stream weights", "bands", "slices", "passes", "spill"
  std::string details;  // "1.2 GiB of weights read again in each run, through 64 MiB"
  uint64_t saved_bytes = 0;
  double cost_seconds = 0;
};

struct PlanFigures {
  std::vector<PhaseFigures> phases;
  std::vector<MeasureEffect> measures;
  size_t fullest_phase = 0;
  uint64_t gap_bytes = 0;  // of the arena, that are free while the fullest phase is at its fullest
  // Of the plan with all memory. The same as the plan's own when no measure was needed.
  uint64_t unbounded_arena_bytes = 0;
  double unbounded_seconds = 0;
};

// `unbounded`: the same request planned without a limit, or null when the plan has no need of measures.
PlanFigures plan_figures(const Plan& plan, const Plan* unbounded, const Rates& rates);

// What is alive at a phase's fullest instant, by name: each BufferKind, "gaps" (where they are given),
// "process", "pictures_and_latents". With the fullest phase's figures and the plan's gaps the sum is
// Plan::peak_bytes().
std::vector<std::pair<std::string, uint64_t>> peak_by_kind(const Plan& plan, const PhaseFigures& figures,
                                                           std::optional<uint64_t> gap_bytes);

// "bands: 34 operators by rows, in up to 12 bands": those of a phase, without what they cost.
std::vector<std::string> phase_measures(const Phase& phase);

double predicted_seconds(const Plan& plan);
// Whether any phase does other than everything whole, at once and with its weights resident.
bool uses_measures(const Plan& plan);
// Bytes that a load reads from its file.
uint64_t file_bytes(const Phase& phase, const Load& load);
// "encode_text: every weight is used once, so none has to stay": why each measure is absent, in words.
std::vector<std::string> unused_measures(const Plan& plan, uint64_t spillable_bytes);

}  // namespace snug
