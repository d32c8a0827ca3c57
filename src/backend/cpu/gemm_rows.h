// What a product does to a row of sums before and after the products: bias, residual, activation, narrowing.
// gemm.cc calls it tile by tile, while the row is in the nearest cache.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/op.h"

namespace snug {

struct RowCall {
  DType type = DType::kF32;  // of residual and output: F32 or BF16
  int64_t columns = 0;
  const float* bias = nullptr;          // null when absent
  const std::byte* residual = nullptr;  // null when absent; may be where `sums` is
  float* sums = nullptr;
  std::byte* output = nullptr;  // for F32, where `sums` is
  Activation activation = Activation::kNone;
};

// sums = bias + residual, or 0.
void begin_row(const RowCall& call);
// output = activation(sums).
void finish_row(const RowCall& call);

}  // namespace snug
