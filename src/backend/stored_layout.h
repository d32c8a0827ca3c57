// How a tensor lies in memory: the one rule of graph/op.h (rank 4 and 5 channels-last, all else row-major) as
// shapes that kernels can walk. Used by the kernels of every backend that follows the rule.
#pragma once

#include <cstdint>

#include "graph/op.h"

namespace snug {

// Extents in the order of storage, outermost first: [N,C,H,W] → [N,H,W,C].
inline Shape stored_shape(const Shape& logical) {
  if (logical.rank() < 4 || logical.rank() > 5) return logical;
  Shape stored = logical;
  for (int axis = 2; axis < logical.rank(); ++axis) stored.set(axis - 1, logical[axis]);
  stored.set(-1, logical[1]);
  return stored;
}

// Where the logical axis of a tensor of that rank went.
inline int stored_axis(int rank, int axis) {
  if (rank < 4 || rank > 5 || axis == 0) return axis;
  return axis == 1 ? rank - 1 : axis - 1;
}

// A stored tensor cut at one axis: outer × extent × inner elements, row-major.
struct AxisCut {
  int64_t outer = 1, extent = 1, inner = 1;
};
inline AxisCut cut_at(const Shape& logical, int logical_axis) {
  const Shape shape = stored_shape(logical);
  const int axis = stored_axis(logical.rank(), logical_axis);
  AxisCut cut;
  for (int i = 0; i < axis; ++i) cut.outer *= shape[i];
  cut.extent = shape[axis];
  for (int i = axis + 1; i < shape.rank(); ++i) cut.inner *= shape[i];
  return cut;
}

// Element type in which a kernel meets an operand, unless it asks for another: weights are expanded to F32
// whatever their file holds, activations are what the graph says.
inline DType stored_dtype(const Operand& operand) { return operand.is_weight ? DType::kF32 : operand.dtype; }

// What a kernel asks for that reads halves itself: weights as their file has them, where that is F16, BF16 or
// F32; quantised ones expanded to F32.
inline DType unexpanded_dtype(const Operand& operand) {
  const bool plain = operand.dtype == DType::kF16 || operand.dtype == DType::kBF16;
  return plain || !operand.is_weight ? operand.dtype : DType::kF32;
}

}  // namespace snug
