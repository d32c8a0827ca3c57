// What kernels are chosen by, and what they answer about weights. It stands here, above both, because the
// planner (plan/) asks and the backends (backend/) answer.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "graph/op.h"

namespace snug {

// A node as a kernel sees it. `operands` has one entry for each input, absent ones with present = false.
// Two nodes with equal specs may share one kernel: weights are handed over at run time.
struct NodeSpec {
  Op op = Op::kAdd;
  Attrs attrs;
  std::vector<Operand> operands;
  Operand output;

  // Equal for equal specs: operation, attributes to the last bit, element types and shapes.
  std::string key() const;
};

struct Declined {
  std::string kernel;
  std::string reason;
};

}  // namespace snug
