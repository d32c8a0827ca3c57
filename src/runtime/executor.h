// Runs a plan's phases in its arena. Trusts the plan: nothing is checked or allocated here while kernels run.
//
// Use, for each phase in order: load(phase) once; then for each call: set_input for its inputs, run(phase,
// call), read_output. Pictures cross this border in logical order (N C H W) and are stored channels-last
// inside.
//
// One thread at a time. The plan, the kernels and the weights must outlive the executor.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancellation.h"
#include "plan/plan.h"
#include "runtime/arena.h"
#include "runtime/kernel_set.h"
#include "weights/weight_index.h"

namespace snug {

// What happened in one phase.
struct PhaseRecord {
  double load_seconds = 0;
  uint64_t read_bytes = 0;
  std::vector<double> call_seconds;    // one entry a call
  std::vector<double> kernel_seconds;  // by instruction, summed over calls
};

class Executor {
 public:
  using Weights = std::map<std::string, std::shared_ptr<const WeightIndex>>;  // by part name
  // Throws out_of_memory.
  Executor(const Plan& plan, const KernelSet& kernels, Weights weights, const Cancellation& cancellation);

  // Reads, converts and packs the phase's weights. Throws what reading throws (with file and tensor),
  // cancelled.
  void load(const Phase& phase);

  // F32 inputs in logical order; I32 for token ids. SNUG_CHECK on name, element type and size.
  void set_input(const Phase& phase, std::string_view name, std::span<const float> values);
  void set_input(const Phase& phase, std::string_view name, std::span<const int32_t> values);
  // Throws cancelled, between kernels.
  void run(const Phase& phase, int call = 0);
  // F32 outputs in logical order.
  void read_output(const Phase& phase, std::string_view name, std::span<float> values);

  const PhaseRecord& record(const Phase& phase) const;
  const Arena& arena() const { return arena_; }

 private:
  void load(const Phase& phase, const LoadWeight& load, const WeightIndex& weights, PhaseRecord& record);
  void run(const RunKernel& instruction, int call);
  std::byte* address(const Location& location, int call = 0);

  const Plan& plan_;
  const KernelSet& kernels_;
  Weights weights_;
  const Cancellation& cancellation_;
  Arena arena_;
  std::vector<PhaseRecord> records_;        // in the plan's order
  std::vector<const std::byte*> operands_;  // of the kernel that runs; sized once
};

}  // namespace snug
