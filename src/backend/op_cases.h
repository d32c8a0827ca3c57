// The nodes on which kernels are tested and timed: every operation, at odd sizes and at small shapes of the
// models' own kinds. For tests and benchmarks; the program itself does not use them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/node_spec.h"

namespace snug {

struct OpCase {
  std::string name;  // "conv2d/3x3_s2_end_padding"
  NodeSpec node;     // activations in F32
};

// A node with its output inferred.
NodeSpec make_node(Op op, Attrs attrs, std::vector<Operand> operands);

// The same node with activations in another element type. Integers and weights stay as they are; cast keeps
// its operand.
NodeSpec with_activations(const NodeSpec& node, DType dtype);

std::vector<OpCase> op_cases();

}  // namespace snug
