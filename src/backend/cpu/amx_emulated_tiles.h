// AmxTiles (amx_tiles.h) in plain C++, for tests on machines without AMX: what Intel's Software Developer's
// Manual (volume 2) says each instruction does, rounding included. Slow: some 20 µs for a product of tiles.
//
// An object is one thread's registers. Misuse that the processor answers with a fault (an unconfigured tile,
// sizes that do not fit) fails a SNUG_CHECK.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "backend/cpu/amx_tiles.h"
#include "base/check.h"

namespace snug {

// A subnormal number as the 0 of its sign.
inline float flushed(float value) { return std::fabs(value) < FLT_MIN ? std::copysign(0.0F, value) : value; }

// a b + c rounded once to nearest even, where subnormal numbers count as 0, in and out. Whether a result is
// subnormal is decided after rounding with an unbounded exponent, as SSE does (volume 1, "Numeric
// underflow").
inline float flushed_fma(float a, float b, float c) {
  a = flushed(a), b = flushed(b), c = flushed(c);
  const float result = std::fma(a, b, c);
  if (!(std::fabs(result) <= FLT_MIN) || result == 0) return result;
  if (std::fabs(a) > std::fabs(b)) std::swap(a, b);
  constexpr float kUp = 0x1p+64F;
  const float scaled =
      std::fma(a * kUp, b, c * kUp);  // c is small as well: large ones cancel to 0 or exactly
  return std::fabs(scaled) < FLT_MIN * kUp ? std::copysign(0.0F, scaled) : scaled / kUp;
}

class EmulatedTiles {
 public:
  void configure(const TileConfiguration& configuration) {
    SNUG_CHECK(configuration.palette == 1 && configuration.start_row == 0, "the only palette there is");
    for (size_t tile = 0; tile < configuration.rows.size(); ++tile) {
      const int rows = configuration.rows[tile], bytes = configuration.row_bytes[tile];
      SNUG_CHECK(tile < kTiles ? rows <= kTileRows && bytes <= kTileRowBytes : rows + bytes == 0,
                 "beyond what the palette has");
      SNUG_CHECK((rows == 0) == (bytes == 0), "a tile has both sizes or none");
    }
    configuration_ = configuration;
    tiles_ = {};
  }
  void release() {
    configuration_ = {};
    tiles_ = {};
  }

  template <int kTile>
  void zero() {
    zero(kTile);
  }
  template <int kTile>
  void load(const void* from, int64_t stride) {
    load(kTile, from, stride);
  }
  template <int kTile>
  void store(void* to, int64_t stride) {
    store(kTile, to, stride);
  }
  template <int kSums, int kA, int kB>
  void multiply() {
    multiply(kSums, kA, kB);
  }
  static void gather(const std::byte* const* rows, int count, int64_t offset, int64_t bytes,
                     std::byte* tile) {
    std::memset(tile, 0, kTileRows * kTileRowBytes);
    for (int r = 0; r < count; ++r) {
      std::memcpy(tile + r * kTileRowBytes, rows[r] + offset, static_cast<size_t>(bytes));
    }
  }
  static void add(const float* tile, int rows, int64_t column, float* const* to) {
    for (int r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < kTileColumns; ++i) to[r][column + i] += tile[r * kTileColumns + i];
    }
  }

  // The same for tiles known only when it runs.
  void zero(int tile) {
    check(tile);
    at(tile) = {};
  }
  void load(int tile, const void* from, int64_t stride) {
    check(tile);
    at(tile) = {};
    for (int64_t r = 0; r < rows(tile); ++r) {
      std::memcpy(row(tile, r), static_cast<const std::byte*>(from) + r * stride, row_bytes(tile));
    }
  }
  void store(int tile, void* to, int64_t stride) {
    check(tile);
    for (int64_t r = 0; r < rows(tile); ++r) {
      std::memcpy(static_cast<std::byte*>(to) + r * stride, row(tile, r), row_bytes(tile));
    }
  }
  void multiply(int sums, int a, int b) {
    check(sums), check(a), check(b);
    SNUG_CHECK(sums != a && sums != b && a != b, "three tiles");
    SNUG_CHECK(rows(sums) == rows(a) && row_bytes(sums) == row_bytes(b) &&
                   row_bytes(a) == 4 * static_cast<size_t>(rows(b)),
               "sizes that fit");
    const size_t columns = row_bytes(sums) / 4;
    for (int64_t m = 0; m < rows(sums); ++m) {
      std::array<float, 2 * kTileColumns> chains = {};
      for (int64_t k = 0; k < rows(b); ++k) {
        for (size_t i = 0; i < 2 * columns; ++i) {
          chains[i] = flushed_fma(bf16(a, m, static_cast<size_t>(2 * k) + i % 2), bf16(b, k, i), chains[i]);
        }
      }
      for (size_t n = 0; n < columns; ++n) {
        float sum = 0;
        std::memcpy(&sum, row(sums, m) + 4 * n, sizeof(sum));
        sum = flushed(flushed(sum) + flushed(chains[2 * n] + chains[2 * n + 1]));
        std::memcpy(row(sums, m) + 4 * n, &sum, sizeof(sum));
      }
    }
  }

 private:
  using Tile = std::array<std::byte, kTileRows * kTileRowBytes>;

  Tile& at(int tile) { return tiles_[static_cast<size_t>(tile)]; }
  std::byte* row(int tile, int64_t r) { return at(tile).data() + r * kTileRowBytes; }
  int64_t rows(int tile) const { return configuration_.rows[static_cast<size_t>(tile)]; }
  size_t row_bytes(int tile) const { return configuration_.row_bytes[static_cast<size_t>(tile)]; }
  float bf16(int tile, int64_t r, size_t element) {
    uint16_t half = 0;
    std::memcpy(&half, row(tile, r) + 2 * element, sizeof(half));
    return std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
  }
  void check(int tile) const {
    SNUG_CHECK(tile >= 0 && tile < kTiles && rows(tile) > 0, "a tile that has been configured");
  }

  TileConfiguration configuration_;  // no tile
  std::array<Tile, kTiles> tiles_ = {};
};

}  // namespace snug
