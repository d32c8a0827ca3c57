// Times single kernels of a backend on made-up operands, for calibrate.h: the same kernels that a plan would
// choose for nodes of the models' own shapes, run whole and on all threads.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"

namespace snug {

// A node with its output inferred.
NodeSpec node_of(Op op, Attrs attrs, std::vector<Operand> operands);

// Of several samples. What is short is taken at its least: other programs only ever add to it.
enum class Statistic { kMedian, kLeast };

// Seconds of one run, from several samples in about `budget_seconds` after one that is not counted; from that
// one when it takes the budget alone. A sample is the mean of `repeats` runs. Throws out_of_memory.
double kernel_run_seconds(const Backend& backend, const NodeSpec& node, double budget_seconds,
                          int repeats = 1, Statistic statistic = Statistic::kMedian);

// Some nodes, made once and then run one after another, each whole: for what times them itself. Their kernels
// hold for the thread count at the time they are made.
class KernelSequence {
 public:
  // Throws out_of_memory.
  KernelSequence(const Backend& backend, const std::vector<NodeSpec>& nodes);
  ~KernelSequence();
  KernelSequence(const KernelSequence&) = delete;
  KernelSequence& operator=(const KernelSequence&) = delete;
  void run() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Seconds to hand work to all threads and wait for them, at the least.
double parallel_seconds();

}  // namespace snug
