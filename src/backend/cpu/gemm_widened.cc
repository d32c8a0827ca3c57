// Tiles of a product of BF16 rows where no instruction multiplies BF16: a tile's rows are widened once for
// all panels, and multiplied as F32. So BF16 saves half of the memory on any machine, and takes the time of
// F32.
#include <bit>

#include "backend/cpu/gemm_tile.h"

namespace snug {
namespace {

int widen_rows(int rows, int64_t taps, int64_t channels, const std::byte** a, std::byte* room) {
  auto* to = reinterpret_cast<float*>(room);
  for (int64_t tap = 0; tap < taps; ++tap, a += kMostTileRows) {
    for (int r = 0; r < rows; ++r, to += channels) {
      const auto* const from = reinterpret_cast<const uint16_t*>(a[r]);
      for (int64_t c = 0; c < channels; ++c)
        to[c] = std::bit_cast<float>(static_cast<uint32_t>(from[c]) << 16);
      a[r] = reinterpret_cast<const std::byte*>(to);
    }
  }
  return rows;
}

}  // namespace

TileKernels widened(TileKernels f32) {
  f32.space_rows = widen_rows;
  f32.spaced_element_bytes = sizeof(float);
  return f32;
}

}  // namespace snug
