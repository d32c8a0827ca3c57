// What gemm.cc hands to gemm_walk.cc: a product's run, cut into tasks, and the room that a thread has for
// one.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_rows.h"

namespace snug {

constexpr int64_t pieces(int64_t whole, int64_t most) { return (whole + most - 1) / most; }
constexpr int64_t rounded_up(int64_t value, int64_t step) { return pieces(value, step) * step; }

// One call of run, in rows: the part's pixels, image after image.
struct ProductKernel::Run {
  const KernelArgs& args;
  int64_t element_bytes = 4;
  int64_t rows = 0, panels = 0;
  int64_t row_blocks = 1, panel_blocks = 1;

  int64_t image(int64_t row) const { return args.part.images.begin + row / args.part.pixels.size(); }
  int64_t pixel(int64_t row) const { return args.part.pixels.begin + row % args.part.pixels.size(); }
};

struct ProductKernel::Task {
  int64_t first_row = 0, last_row = 0;
  int64_t first_column = 0, last_column = 0;  // output channels
};

// Some rows of a task, at some block of the inner dimension.
struct ProductKernel::Tile {
  int64_t row = 0;
  int rows = 0;
  int64_t channel = 0, channels = 0;
};

// A tile's rows against one product's panels.
struct ProductKernel::Strip {
  std::span<const RowCall> ends = {};  // of the tile's rows
  std::span<const std::byte* const> rows =
      {};                               // where they are in the input; empty where prefetch did the next
  const std::byte* const* a = nullptr;  // TileCall::a
  const std::byte* const* panels = nullptr;
  int multiplied_rows = 0;  // what TileKernels::space_rows makes of the tile's rows
};

// One panel's, of each row of a tile. A panel whose width goes beyond the output's row has them apart.
struct ProductKernel::Sums {
  std::array<float*, kMostTileRows> to;
  std::array<const float*, kMostTileRows> base;
  alignas(64) std::array<std::array<float, kMostWidth>, kMostTileRows> beyond;
};

// A thread's.
struct ProductKernel::Scratch {
  std::byte* panels = nullptr;           // room for those that do not lie ready
  const std::byte** panel_of = nullptr;  // where each of the task's panels is, then each of the gate's
  const std::byte** pointers = nullptr;  // TileCall::a
  std::byte* rows = nullptr;             // copies of a tile's rows
  float* gathered = nullptr;             // by panels: all rows of a task, tile after tile, interleaved
  RowCall* ends = nullptr;               // by panels: of each row of a task, then of its gates
  float* floats = nullptr;               // BF16 only: a panel before it is narrowed
  float* sums = nullptr;                 // BF16 only
  float* gates = nullptr;                // gated only: their sums
  int64_t bytes = 0;
};

}  // namespace snug
