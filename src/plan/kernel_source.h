// What the planner asks of whoever chooses kernels (runtime/kernel_set.h asks a backend). The answers become
// part of the plan; no memory is touched by asking.
#pragma once

#include <string>
#include <vector>

#include "graph/node_spec.h"

namespace snug {

struct KernelFacts {
  int kernel = -1;  // the source's own number for it; equal specs share one
  std::string name;
  size_t scratch_bytes = 0;
  // Form of each input that is a weight; empty forms for the others.
  std::vector<WeightForm> weight_forms;
  std::vector<Declined> declined;
};

class KernelSource {
 public:
  virtual ~KernelSource() = default;
  virtual const KernelFacts& choose(const NodeSpec& node) = 0;
  // Bytes that the chosen kernels will add to the process outside the arena (compiled code).
  virtual size_t code_bytes() const = 0;
};

}  // namespace snug
