// How long one run of a kernel takes, predicted: the longer of its arithmetic at the rate of its kind and its
// bytes at the rate of memory, plus turning its weights into the kernel's form, plus a fixed cost.
#pragma once

#include "plan/phase_facts.h"
#include "plan/rates.h"

namespace snug {

// Seconds for computing `part` of the node's output.
double predict_seconds(const NodeFacts& node, const Region& part, const Rates& rates);

}  // namespace snug
