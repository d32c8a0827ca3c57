#include "backend/cpu/gemm_amx.h"

#include <algorithm>

#include "backend/cpu/amx.h"
#include "backend/cpu/gemm_amx-inl.h"

namespace snug {
namespace {

void multiply(int rows, int64_t width, const TileCall& call) {
  const AmxScope scope;
  AmxTiles tiles;
  amx_multiply(tiles, rows, width, call);
}

}  // namespace

TileKernels amx_tile_kernels() {
  TileKernels kernels = bf16_tile_kernels();
  kernels.rows = std::min(kMostTileRows, 2 * kTileRows);
  kernels.multiply = multiply;
  return kernels;
}

}  // namespace snug
