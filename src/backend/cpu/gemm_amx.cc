#include "backend/cpu/gemm_amx.h"

#include <cstring>

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

int space_rows_evenly(int rows, int64_t taps, int64_t channels, const std::byte** a, std::byte* room) {
  const auto bytes = static_cast<size_t>(channels) * sizeof(uint16_t);
  const int padded = (rows + kTileRows - 1) / kTileRows * kTileRows;
  for (int64_t tap = 0; tap < taps; ++tap, a += kMostTileRows) {
    for (int first = 0; first < padded; first += kTileRows) {
      int64_t stride = 0;
      if (first + kTileRows <= rows && evenly_spaced(a + first, stride)) continue;
      for (int r = first; r < first + kTileRows; ++r, room += bytes) {
        r < rows ? std::memcpy(room, a[r], bytes) : std::memset(room, 0, bytes);
        a[r] = room;
      }
    }
  }
  return padded;
}

TileKernels amx_tile_kernels() {
  const TileKernels bf16 = bf16_tile_kernels();
  TileKernels kernels;
  kernels.rows = 2 * kTileRows;
  kernels.wide = bf16.wide;
  kernels.narrow = bf16.narrow;
  kernels.pairs = bf16.pairs;
  kernels.pack = bf16.pack;
  kernels.expand = bf16.expand;
  kernels.multiply = multiply;
  kernels.row_step = kTileRows;
  kernels.channel_step = 32;
  kernels.space_rows = space_rows_evenly;
  return kernels;
}

}  // namespace snug
