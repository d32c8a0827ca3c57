// TileKernels::multiply on AMX's tile registers. A template over who executes the instructions: AmxTiles
// (gemm_amx.cc) or, in tests, EmulatedTiles.
//
// A tile of sums is 16 rows x 16 columns; up to 2 x 2 of them take 32 channels in a step, from two tiles of
// rows and two of the panel. So a step is four loads for four products. Assumed, until it
// can be measured on a machine that has AMX: a product occupies its unit for 16 cycles and is ready after 52,
// a load takes 8 cycles of the load ports: 64 cycles of products against 32 of loads, and each sum is needed
// again only after 64 cycles. Thus the products bind, at 1024 multiply-adds per cycle, as long as 2 KiB of
// panel come in 64 cycles, half of what a second-level cache can give. A single tile of rows (16 and fewer)
// has half as many products for those bytes, and waits for its sums: at best 32 / 52 of the peak.
//
// Order of summation: from 0, tap by tap, in a tap 32 channels at a time (the last may be fewer), each as
// AmxTiles::multiply does; then added to what is there. It is the same for any number of rows and columns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/amx_tiles.h"
#include "backend/cpu/gemm_tile.h"

namespace snug {

// Whether 16 rows lie `stride` bytes from one to the next.
inline bool evenly_spaced(const std::byte* const* rows, int64_t& stride) {
  // By integers: rows may be parts of different objects. Without branches: it is asked for every tap.
  const auto address = [&](int r) { return reinterpret_cast<uintptr_t>(rows[r]); };
  const uintptr_t first = address(1) - address(0);
  uintptr_t differences = 0;
  for (int r = 2; r < kTileRows; ++r) differences |= (address(r) - address(r - 1)) ^ first;
  stride = static_cast<int64_t>(first);
  return differences == 0;
}

template <typename Tiles, int kRowTiles, int kColumnTiles>
class AmxProduct {
  static_assert(kRowTiles >= 1 && kRowTiles <= 2 && kColumnTiles >= 1 && kColumnTiles <= 2);

 public:
  AmxProduct(Tiles& tiles, int rows, const TileCall& call) : tiles_(tiles), call_(call), rows_(rows) {}

  void run() {
    zero_sums();
    const int64_t whole = call_.channels / kTileChannels * kTileChannels, rest = call_.channels - whole;
    const std::byte* panel = call_.panel;
    panel_end_ = panel + call_.taps * ((call_.channels + 1) / 2) * kPairBytes;
    for (int64_t tap = 0; tap < call_.taps; ++tap) {
      std::array<Rows, kRowTiles> rows;
      for (int t = 0; t < kRowTiles; ++t) rows[static_cast<size_t>(t)] = rows_of(tap, t);
      for (int64_t channel = 0; channel < whole; channel += kTileChannels) {
        prefetch(panel);
        step(rows, channel, kTileChannels, panel);
        panel += kTileRows * kPairBytes;
      }
      if (rest == 0) continue;
      const int64_t bytes = (rest + 1) / 2 * kPairBytes;
      std::memcpy(panel_rest_.data(), panel, static_cast<size_t>(bytes));
      std::memset(panel_rest_.data() + bytes, 0, panel_rest_.size() - static_cast<size_t>(bytes));
      step(rows, whole, rest, panel_rest_.data());
      panel += bytes;
    }
    add_sums();
  }

 private:
  // Registers.
  static constexpr int sums(int row_tile, int column_tile) { return row_tile * kColumnTiles + column_tile; }
  static constexpr int kA = 4, kB = 6;
  // A pair of channels of a panel.
  static constexpr int64_t kPairBytes = kColumnTiles * kTileRowBytes;
  // How far ahead a panel is fetched into the first-level cache: two steps, some 128 cycles, are longer than
  // the second level takes.
  static constexpr int64_t kFetchAhead = 2 * kTileRows * kPairBytes;

  // One tap of up to 16 rows.
  struct Rows {
    const std::byte* const* begin = nullptr;
    int count = 0;
    bool even = false;  // 16 of them, `stride` bytes from one to the next
    int64_t stride = 0;
  };

  Rows rows_of(int64_t tap, int row_tile) const {
    Rows rows;
    rows.begin = call_.a + tap * kMostTileRows + row_tile * kTileRows;
    rows.count = row_tile + 1 < kRowTiles ? kTileRows : rows_ - row_tile * kTileRows;
    if (rows.count < kTileRows) return rows;
    rows.even = evenly_spaced(rows.begin, rows.stride);
    return rows;
  }

  // 32 channels of all sums, of which the rows have `channels`. Neighbouring products share a tile, so that
  // each load comes a product before its use.
  void step(const std::array<Rows, kRowTiles>& rows, int64_t channel, int64_t channels,
            const std::byte* panel) {
    tiles_.template load<kB>(panel, kPairBytes);
    load_rows<0>(rows[0], channel, channels);
    if constexpr (kColumnTiles == 2) tiles_.template load<kB + 1>(panel + kTileRowBytes, kPairBytes);
    tiles_.template multiply<sums(0, 0), kA, kB>();
    if constexpr (kRowTiles == 2) load_rows<1>(rows[1], channel, channels);
    if constexpr (kColumnTiles == 2) tiles_.template multiply<sums(0, 1), kA, kB + 1>();
    if constexpr (kRowTiles == 2 && kColumnTiles == 2) {
      tiles_.template multiply<sums(1, 1), kA + 1, kB + 1>();
    }
    if constexpr (kRowTiles == 2) tiles_.template multiply<sums(1, 0), kA + 1, kB>();
  }

  template <int kRowTile>
  void load_rows(const Rows& rows, int64_t channel, int64_t channels) {
    const int64_t offset = channel * 2;
    if (rows.even && channels == kTileChannels) {
      tiles_.template load<kA + kRowTile>(*rows.begin + offset, rows.stride);
      return;
    }
    auto& copy = row_copies_[kRowTile];
    Tiles::gather(rows.begin, rows.count, offset, channels * 2, copy.data());
    tiles_.template load<kA + kRowTile>(copy.data(), kTileRowBytes);
  }

  void prefetch(const std::byte* panel) const {
    constexpr int64_t kLineBytes = 64, kStepBytes = kTileRows * kPairBytes;
    if (panel_end_ - panel < kFetchAhead + kStepBytes) return;
#pragma GCC unroll 32
    for (int64_t at = 0; at < kStepBytes; at += kLineBytes) __builtin_prefetch(panel + kFetchAhead + at);
  }

  void zero_sums() {
    tiles_.template zero<sums(0, 0)>();
    if constexpr (kColumnTiles == 2) tiles_.template zero<sums(0, 1)>();
    if constexpr (kRowTiles == 2) tiles_.template zero<sums(1, 0)>();
    if constexpr (kRowTiles == 2 && kColumnTiles == 2) tiles_.template zero<sums(1, 1)>();
  }

  // All are stored before the first is read: a vector's load waits for the tile's store to reach the cache.
  void add_sums() {
    store_sums<0, 0>();
    if constexpr (kColumnTiles == 2) store_sums<0, 1>();
    if constexpr (kRowTiles == 2) store_sums<1, 0>();
    if constexpr (kRowTiles == 2 && kColumnTiles == 2) store_sums<1, 1>();
    for (int r = 0; r < kRowTiles; ++r) {
      const int rows = r + 1 < kRowTiles ? kTileRows : rows_ - r * kTileRows;
      for (int c = 0; c < kColumnTiles; ++c) {
        Tiles::add(stored_[static_cast<size_t>(sums(r, c))].data(), rows, c * kTileColumns,
                   call_.sums + r * kTileRows);
      }
    }
  }
  template <int kRowTile, int kColumnTile>
  void store_sums() {
    constexpr int kSums = sums(kRowTile, kColumnTile);
    tiles_.template store<kSums>(stored_[kSums].data(), kTileRowBytes);
  }

  Tiles& tiles_;
  const TileCall& call_;
  int rows_;
  const std::byte* panel_end_ = nullptr;
  // Not initialised: 8 KiB that most calls use little of.
  alignas(64) std::array<std::array<std::byte, kTileRows * kTileRowBytes>, kRowTiles> row_copies_;
  alignas(64) std::array<std::byte, kTileRows * kPairBytes> panel_rest_;
  alignas(64) std::array<std::array<float, kTileRows * kTileColumns>, kRowTiles * kColumnTiles> stored_;
};

// As TileKernels::multiply: 1 to 32 rows; width 16 or 32. The tiles are configured whole.
template <typename Tiles>
void amx_multiply(Tiles& tiles, int rows, int64_t width, const TileCall& call) {
  static_assert(kMostTileRows >= 2 * kTileRows && kMostWidth >= 2 * kTileColumns);
  if (rows > kTileRows && width > kTileColumns) {
    AmxProduct<Tiles, 2, 2>(tiles, rows, call).run();
  } else if (rows > kTileRows) {
    AmxProduct<Tiles, 2, 1>(tiles, rows, call).run();
  } else if (width > kTileColumns) {
    AmxProduct<Tiles, 1, 2>(tiles, rows, call).run();
  } else {
    AmxProduct<Tiles, 1, 1>(tiles, rows, call).run();
  }
}

}  // namespace snug
