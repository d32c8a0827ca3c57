// Times single kernels of a backend on made-up operands, for calibrate.h: the same kernels that a plan would
// choose for nodes of the models' own shapes, run whole and on all threads.
#pragma once

#include <vector>

#include "backend/backend.h"

namespace snug {

// A node with its output inferred.
NodeSpec node_of(Op op, Attrs attrs, std::vector<Operand> operands);

// Seconds of one run: the median of several in about `budget_seconds`, after one that is not counted; that
// one when it takes the budget alone. Every sample is the mean of `repeats` runs. Throws out_of_memory.
double median_kernel_seconds(const Backend& backend, const NodeSpec& node, double budget_seconds,
                             int repeats = 1);

// Seconds to hand work to all threads and wait for them.
double median_parallel_seconds();

}  // namespace snug
