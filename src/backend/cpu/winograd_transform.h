// The three small linear maps of Winograd's convolution, compiled for each instruction set; winograd.cc calls
// them between its products.
//
// F(4×4, 3×3): a tile is 4 × 4 outputs, seen through 6 × 6 inputs. With matrices A, B and G it is
// Aᵀ [Σ over channels of (G g Gᵀ) ∘ (Bᵀ d B)] A: 36 products of channels instead of 144 (Lavin and Gray,
// 2015, https://arxiv.org/abs/1509.09308). The 36 places are counted row by row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/op.h"

namespace snug {

inline constexpr int64_t kWinogradOutputs = 4;  // a tile's, each way
inline constexpr int64_t kWinogradInputs = 6;
inline constexpr int64_t kWinogradPlaces = kWinogradInputs * kWinogradInputs;

// Bᵀ d B of one tile, channel by channel.
struct WinogradInputCall {
  DType type = DType::kF32;                  // of the pixels: F32 or BF16
  const std::byte* const* pixels = nullptr;  // [36]: where each one's channels begin
  int64_t channels = 0;
  float* to = nullptr;  // [36] rows, each rounded up to whole vectors
  int64_t place = 0;    // from one row to the next
};

// G g Gᵀ of a panel of weights (gemm_tile.h) of 9 taps.
struct WinogradWeightCall {
  const float* panel = nullptr;  // [9][channels][width]
  int64_t channels = 0, width = 0;
  float* to = nullptr;  // [36] panels of one tap
  int64_t place = 0;
};

// activation(Aᵀ m A + bias + residual) of one tile, output channel by output channel.
struct WinogradOutputCall {
  DType type = DType::kF32;     // of residual and output: F32 or BF16
  const float* from = nullptr;  // [36] rows, each readable to whole vectors
  int64_t place = 0;
  int64_t columns = 0;
  const float* bias = nullptr;                 // null when absent
  const std::byte* const* residual = nullptr;  // [16]; null when absent; may be where `output` is
  std::byte* const* output = nullptr;          // [16]; null where the picture has ended
  Activation activation = Activation::kNone;
};

struct WinogradTransforms {
  void (*input)(const WinogradInputCall&) = nullptr;
  void (*weight)(const WinogradWeightCall&) = nullptr;
  void (*output)(const WinogradOutputCall&) = nullptr;
};

// The instruction set must be settled (used_isa()), and AVX2 or better.
WinogradTransforms winograd_transforms();

}  // namespace snug
