// AMX's instructions on tile registers, and what AVX-512 does beside them, as the kernels use them:
// gemm_amx-inl.h is a template over this class or over EmulatedTiles (amx_emulated_tiles.h), which does the
// same in plain C++, so that it can be tested on a machine without AMX.
//
// Inline assembler, not the compiler's intrinsics: g++ 12's _tile_loadd does not tell the compiler that
// memory is read, so stores into a buffer before it may be dropped or moved behind it; and it wants the tile
// as a literal, which a template has not.
//
// The tiles belong to the calling thread. Whoever calls holds an AmxScope (amx.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <immintrin.h>

namespace snug {

inline constexpr int kTiles = 8;
inline constexpr int kTileRows = 16;
inline constexpr int64_t kTileRowBytes = 64;
// Of one tile: f32 columns of a sum; BF16 channels of a row, two of which share one of its columns.
inline constexpr int64_t kTileColumns = 16, kTileChannels = 32;

// What LDTILECFG reads (Intel's Software Developer's Manual, volume 1, chapter "Programming with AMX").
struct alignas(64) TileConfiguration {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  std::array<uint8_t, 14> reserved = {};
  std::array<uint16_t, 16> row_bytes = {};
  std::array<uint8_t, 16> rows = {};
};
static_assert(sizeof(TileConfiguration) == 64);

// All tiles in their full size.
inline constexpr TileConfiguration kWholeTiles = [] {
  TileConfiguration whole;
  for (size_t tile = 0; tile < kTiles; ++tile) {
    whole.row_bytes[tile] = kTileRowBytes;
    whole.rows[tile] = kTileRows;
  }
  return whole;
}();

class AmxTiles {
 public:
  // Sets the sizes of all tiles, and all to zeros.
  static void configure(const TileConfiguration& configuration) {
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }
  static void release() { asm volatile("tilerelease" ::: "memory"); }

  template <int kTile>
  static void zero() {
    static_assert(kTile < kTiles);
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  // Row r of the tile from 64 bytes at from + r * stride, or back there.
  template <int kTile>
  static void load(const void* from, int64_t stride) {
    static_assert(kTile < kTiles);
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(void* to, int64_t stride) {
    static_assert(kTile < kTiles);
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // TDPBF16PS: sums[m][n] += Σ over 16 pairs k of a[m][2k] b[k][2n] + a[m][2k+1] b[k][2n+1], for 16 rows m
  // and 16 columns n. The even products make one chain of multiply-adds that begins at 0, the odd ones
  // another; both are added, then to the sum. Rounded to nearest even; subnormal numbers count as 0, in and
  // out.
  template <int kSums, int kA, int kB>
  static void multiply() {
    static_assert(kSums < kTiles && kA < kTiles && kB < kTiles);
    static_assert(kSums != kA && kSums != kB && kA != kB, "the instruction refuses equal tiles");
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kA), "i"(kB));
  }

  // A whole tile in memory from `bytes` (2 to 64, even) at offset in each of `count` rows (1 to 16); 0 in
  // what is left of it. Reads nothing else of the rows.
  __attribute__((target("avx512f,avx512bw"))) static void gather(const std::byte* const* rows, int count,
                                                                 int64_t offset, int64_t bytes,
                                                                 std::byte* tile) {
    const auto lanes = static_cast<__mmask32>((uint64_t{1} << (bytes / 2)) - 1);
    for (int r = 0; r < kTileRows; ++r, tile += kTileRowBytes) {
      const __m512i row = r < count ? _mm512_maskz_loadu_epi16(lanes, rows[r] + offset) : __m512i{};
      _mm512_storeu_si512(tile, row);
    }
  }
  // Adds the first `rows` rows of a tile of sums in memory to 16 floats at to[row] + column.
  __attribute__((target("avx512f"))) static void add(const float* tile, int rows, int64_t column,
                                                     float* const* to) {
    for (int r = 0; r < rows; ++r, tile += kTileColumns) {
      float* const sums = to[r] + column;
      _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_loadu_ps(sums), _mm512_loadu_ps(tile)));
    }
  }
};

}  // namespace snug
