// The inner pieces of a matrix product, compiled for each instruction set: turning weights into panels, and
// multiplying rows by a panel. gemm_walk.cc and winograd.cc call them; gemm_f32.cc, gemm_bf16.cc
// and gemm_widened.cc have them.
//
// A panel is `width` output channels of one block of the inner dimension: for every inner index the weights
// of all its channels side by side, in the element type that the tile multiplies in. The inner index of tap t
// and channel c is t * channels + c (BF16: pairs of channels side by side, for instructions that take pairs).
//
// Weights come to that in two steps. Once, when they have been read, `pack` brings all blocks of a panel into
// this order, in the bytes that they had (packed_weight.h). Then `expand` widens a packed block each time
// that it is multiplied by; where element type and width are those of the tile there is nothing to widen, and
// the packed block is the panel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace snug {

// Most rows that a tile may have, for arrays; an instruction set uses as many as its registers hold.
inline constexpr int kMostTileRows = 32;
inline constexpr int kFewRows = 4;
// Widest panel.
inline constexpr int64_t kMostWidth = 32;
// Most channels in a block of the inner dimension.
inline constexpr int64_t kMostBlockChannels = 512;

struct PackCall {
  DType type = DType::kF32;         // of the weights in their file: F32, F16 or BF16
  const std::byte* rows = nullptr;  // output channels, dense; a channel's taps are neighbours
  int64_t columns = 0;              // so many output channels
  int64_t taps = 0, channels = 0;
  int64_t block_channels = 0;   // of each block but the last
  std::byte* room = nullptr;    // BF16: as large as a block
  std::byte* packed = nullptr;  // [block][tap][channel][columns], as many bytes as `rows`
};

struct PanelCall {
  DType type = DType::kF32;  // of the weights in their file
  const std::byte* packed = nullptr;
  int64_t columns = 0;  // of the packed block; the rest of the width becomes 0
  int64_t width = 0;
  int64_t taps = 0, channels = 0;  // of the block
  float* floats = nullptr;         // a panel of room to work in, for BF16 products of F32 weights
  std::byte* panel = nullptr;      // result
};

struct TileCall {
  const std::byte* const* a = nullptr;  // [taps][kMostTileRows]: where each row's channels of the block begin
  int64_t taps = 0, channels = 0;
  const std::byte* panel = nullptr;
  float* const* sums = nullptr;  // [rows]: the panel's width of sums
  // F32 only: what the products are added to, the sum of the two, before it becomes `sums`. The panel's width
  // each, zeros (zero_sums) for nothing. Of BF16 products that is always what `sums` are.
  const float* bias = nullptr;
  const float* const* base = nullptr;  // [rows]; may be where `sums` is
};

// kMostWidth zeros.
const float* zero_sums();

// One instruction set's. Every sum of products is one chain over the inner index in its order, whatever the
// rows beside it, and is then added to what is there.
struct TileKernels {
  int rows = 0;        // most that multiply takes
  int64_t wide = 0;    // width of a panel
  int64_t narrow = 0;  // the other width there is, for few output channels
  bool pairs = false;  // multiplies pairs of BF16
  // What rows and channels of blocks are best cut at multiples of.
  int row_step = 1;
  int64_t channel_step = 8;
  void (*pack)(const PackCall&) = nullptr;
  void (*expand)(const PanelCall&) = nullptr;
  void (*multiply)(int rows, int64_t width, const TileCall&) = nullptr;
  // The same, with a packed block of F16 or BF16 as its panel, of whole width, for at most kFewRows rows:
  // those do not pay for widening it beforehand. Null where there is none.
  void (*multiply_packed)(DType type, int rows, int64_t width, const TileCall&) = nullptr;
  // Makes the rows of a tile such as multiply likes them, once for all panels: gemm_amx.h. Null: as they are.
  int (*space_rows)(int rows, int64_t taps, int64_t channels, const std::byte** a, std::byte* room) = nullptr;
  int64_t spaced_element_bytes = 2;  // of what it makes
  // For tasks that take all their rows past one panel after the other: the rows of a tile, F32 or BF16, made
  // [channel][row] of F32, and multiply for such, with a[0] leading to them, by a panel of F32 or a packed
  // block of whole width; one tap. Null: there is none.
  void (*interleave)(DType type, int rows, int64_t channels, const std::byte* const* a,
                     float* room) = nullptr;
  void (*multiply_interleaved)(DType type, int rows, int64_t width, const TileCall&) = nullptr;
};

// For F32 rows; the instruction set must be settled (used_isa()).
TileKernels f32_tile_kernels();
// The same, with panels to be passed by all rows of a task, where that is faster.
TileKernels f32_panel_kernels();
// For BF16 rows, sums in F32. Only where used_isa() is avx512_bf16 or better.
TileKernels bf16_tile_kernels();
// For BF16 rows, multiplied by `f32`'s kernels: for all other instruction sets. Weights are not rounded to
// BF16.
TileKernels widened(TileKernels f32);

}  // namespace snug
