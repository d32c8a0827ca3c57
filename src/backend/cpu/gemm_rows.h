// What a product does to a row of sums before and after the products: bias, residual, activation, narrowing;
// and to rows that lie where it cannot read them well.
// gemm_walk.cc calls it, tile by tile where the row is in the nearest cache then.
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
  float* gate = nullptr;        // sums of a gate, in F32; null when there is none
  std::byte* output = nullptr;  // for F32, where `sums` is
  Activation activation = Activation::kNone;
};

// sums = bias + residual, or 0.
void begin_row(const RowCall& call);
// output = activation(sums), or sums * activation(gate).
void finish_row(const RowCall& call);

// Copies a tile's rows side by side to `room`, `bytes` of each for each tap. `a`: as TileCall::a, leads to
// the copies then.
void copy_rows(int rows, int64_t taps, int64_t bytes, const std::byte** a, std::byte* room);

}  // namespace snug
