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

// The form in which a kernel wants a weight to lie in memory.
struct WeightForm {
  // Not packed: dense row-major elements of `dtype`; the loader converts them itself. Packed: opaque bytes
  // that the kernel writes from dense F32.
  bool packed = false;
  DType dtype = DType::kF32;
  size_t bytes = 0;
  bool operator==(const WeightForm&) const = default;
};

struct Declined {
  std::string kernel;
  std::string reason;
};

}  // namespace snug
