// Where the time of a run went: each phase divided into kernels, moves, waiting and the rest, each operator
// with its time beside its nominal work and the limit of the machine that binds it. Made from what the
// executor records in every run, so profiling costs a run nothing. Called by `snug profile`.
//
// The limit is the roofline of Williams, Waterman and Patterson (2009): the longer of an operator's nominal
// FLOPs at the machine's peak for its element type and of its bytes, each operand once, at the bandwidth of
// copying. Both peaks are measured (backend/cpu/peak.h). A share above 1 is possible: Winograd's convolutions
// do fewer multiplications than the nominal ones, and operands may lie in a cache.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backend/cpu/peak.h"
#include "pipeline/make_plan.h"
#include "pipeline/run_report.h"
#include "runtime/executor.h"

namespace snug {

enum class Limit : uint8_t { kFlops, kBytes };

// One operator, or all of one op and kernel. Sums over all runs of the phase.
struct ProfileLine {
  std::string op, kernel;
  std::string name, shape;  // of the output, of a single node; empty in a sum
  std::string type;         // element type of the output: "F32"
  int nodes = 0;
  int64_t kernel_runs = 0;  // more than nodes x runs of the phase where parts are computed one by one
  double seconds = 0;       // measured
  double predicted_seconds = 0;
  double flops = 0, bytes = 0;  // nominal
  double limit_seconds = 0;     // that the machine's peaks allow; 0 where there is neither FLOP nor byte
  Limit limit = Limit::kFlops;  // which one binds (of a sum: most of limit_seconds)
  bool is_heavy = false;        // a product, a convolution or an attention
};

// All measured, in seconds, but for predicted_seconds. total = kernels + moves + waiting + other + host.
struct PhaseProfile {
  std::string name, stage;
  int runs = 0;
  double total_seconds = 0;
  double kernel_seconds = 0;
  double move_seconds = 0;   // rows moved between bands, spilled and restored
  double wait_seconds = 0;   // for weights
  double other_seconds = 0;  // inside runs, in nothing of the above
  // Around runs: samplers, guidance, values to and from the plan's layout. Of `step`, `decode` and
  // `encode_text`; of other phases it counts to nothing but the stage.
  double host_seconds = 0;
  double predicted_seconds = 0;            // of all runs, with waiting, without host
  std::vector<ProfileLine> groups, nodes;  // longest first

  // What no product, convolution or attention took, waiting left out.
  double light_seconds() const;
};

struct Profile {
  PeakRates peaks;  // measured
  std::vector<PhaseProfile> phases;
};

// `executor` has run all of `run`'s phases; `report` is that run's.
Profile make_profile(const PlannedRun& run, const Executor& executor, const RunReport& report,
                     const PeakRates& peaks);

// {"peaks", "phases": [{..., "operators": [...], "nodes": [...]}]}. At most `top` lines of each list.
nlohmann::ordered_json profile_json(const Profile& profile, size_t top);

}  // namespace snug
