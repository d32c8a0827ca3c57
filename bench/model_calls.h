// Whole calls of full-size models with random weights, planned and run as the program does, in one process.
// Which calls there are: model_phases.h. For models_bench.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "bench/model_phases.h"
#include "bench/record.h"
#include "plan/planner.h"
#include "runtime/executor.h"

namespace snug::bench {

// One operation with one kernel, in one run of a phase.
struct OperatorTime {
  std::string op, kernel;
  int nodes = 0;
  double seconds = 0;           // mean over the timed runs
  double flops = 0, bytes = 0;  // nominal
  double bound_seconds = 0;     // at each node's own limit
};

class ModelCall {
 public:
  // Plans without limit, everything resident, for `runs` runs beside the first, and does that one: it reads
  // the weights, and makes them up, so it counts for nothing.
  ModelCall(CallKind kind, DType precision, int runs);

  // One run. No more than were announced.
  void run();
  // What each operation took in the runs since the first, the longest first. Waiting is not in it.
  std::vector<OperatorTime> operators(const Limits& limits) const;
  // Share of those runs' time that is not in convolutions, products and attention; waiting is part of it.
  double share_beside_products() const;

  double flops() const { return phase().flops_per_run; }
  uint64_t arena_bytes() const { return plan_.arena_bytes; }

 private:
  const Phase& phase() const { return plan_.phases.back(); }
  void set_inputs(const Phase& phase, int call);
  void run(const Phase& phase, int call);

  KernelSet kernels_;
  RandomModelPart part_;
  Plan plan_;
  Cancellation cancellation_;
  std::unique_ptr<Executor> executor_;
  std::vector<double> first_kernel_seconds_;  // by instruction
  int calls_done_ = 0;
};

}  // namespace snug::bench
