// Attention's tiles with products in F32: a few keys against a panel of queries, or a few channels of values
// against a panel of weights, all sums in registers. BF16 rows are widened while they are packed.
//
// Scores lie in the first-level cache before they become weights, all of a block together. Where a tile made
// its own, the products of the next would wait in the processor's queue for the end of long chains.
#include <algorithm>
#include <limits>
#include <utility>

#include "backend/cpu/attention_tiles.h"
#include "backend/cpu/prefetch.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention_f32.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/attention_transpose-inl.h"
#include "backend/cpu/interleave-inl.h"
#include "backend/cpu/simd_math-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

#ifndef SNUG_BACKEND_CPU_ATTENTION_F32_ONCE
#define SNUG_BACKEND_CPU_ATTENTION_F32_ONCE
namespace snug {
namespace {

int64_t whole_lines(int64_t floats) { return (floats + 15) / 16 * 64; }

}  // namespace
}  // namespace snug
#endif

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

// Rows of a tile: as many sums of two vectors as the registers hold beside the operands.
constexpr int kTileRows = HWY_TARGET <= HWY_AVX3 ? 14 : 6;
constexpr int64_t kPanel = 2 * kLanes;
static_assert(kPanel <= kMostPanelQueries);

// Keys and values come from the second-level cache, in order: so many bytes ahead they are asked for.
constexpr int64_t kAheadBytes = 2048;

using TileCounts = std::make_integer_sequence<int, kTileRows>;

// Vectors of scores that become weights together, as the registers hold: two of each half of the panel.
constexpr int kTogether = 4;

// What becomes of a tile's scores: they are stored less the offsets, or make the queries' maxima.
enum class Finish : uint8_t { kScores, kMaxima };

// Lanes that may not see the key get -infinity.
HWY_INLINE FloatVector mask_future(FloatVector score, int64_t first_seen, int64_t key, int64_t lane) {
  const FloatVector sees = hn::Iota(Floats(), static_cast<float>(first_seen + lane - key));
  return hn::IfThenElse(hn::Ge(sees, splat(0)), score, splat(-std::numeric_limits<float>::infinity()));
}

// Keys [key, key + kRows) of the call. Keys lie as [tile of keys][channel][keys of the tile].
template <int kRows, Finish kFinish, bool kCausal>
void score_tile(const ScoreCall& call, int64_t key) {
  constexpr bool kScores = kFinish == Finish::kScores;
  FloatVector scores[2 * kRows];  // of each key, against the panel's lower half and its upper
  const FloatVector start_low = kScores ? hn::Neg(load(call.offsets)) : splat(0);
  const FloatVector start_high = kScores ? hn::Neg(load(call.offsets + kLanes)) : splat(0);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    scores[2 * r] = start_low;
    scores[2 * r + 1] = start_high;
  }
  const float* HWY_RESTRICT keys = reinterpret_cast<const float*>(call.keys) + key * call.channels;
  const float* HWY_RESTRICT queries = reinterpret_cast<const float*>(call.queries);
  for (int64_t c = 0; c < call.channels; ++c, keys += kRows, queries += kPanel) {
    prefetch_line(keys, kAheadBytes);
    const FloatVector q0 = load(queries), q1 = load(queries + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const FloatVector k = splat(keys[r]);
      scores[2 * r] = hn::MulAdd(k, q0, scores[2 * r]);
      scores[2 * r + 1] = hn::MulAdd(k, q1, scores[2 * r + 1]);
    }
  }
  if constexpr (kCausal) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      scores[2 * r] = mask_future(scores[2 * r], call.first_seen, key + r, 0);
      scores[2 * r + 1] = mask_future(scores[2 * r + 1], call.first_seen, key + r, kLanes);
    }
  }
  if constexpr (kScores) {
    float* HWY_RESTRICT out = reinterpret_cast<float*>(call.weights) + key * kPanel;
#pragma GCC unroll 32
    for (int i = 0; i < 2 * kRows; ++i) store(scores[i], out + i * kLanes);
  } else {
    FloatVector highest[2] = {load(call.answers), load(call.answers + kLanes)};
#pragma GCC unroll 32
    for (int i = 0; i < 2 * kRows; ++i) highest[i % 2] = hn::Max(highest[i % 2], scores[i]);
    store(highest[0], call.answers);
    store(highest[1], call.answers + kLanes);
  }
}

template <Finish kFinish, bool kCausal, int... kRowsLessOne>
void score_tiles(const ScoreCall& call, std::integer_sequence<int, kRowsLessOne...>) {
  static constexpr void (*kTiles[])(const ScoreCall&,
                                    int64_t) = {score_tile<kRowsLessOne + 1, kFinish, kCausal>...};
  for_each_tile(call.key_count, kTileRows, [&](int64_t key, int64_t rows) { kTiles[rows - 1](call, key); });
}

template <Finish kFinish>
void score(const ScoreCall& call) {
  if (call.causal && call.first_seen < call.key_count - 1) {
    return score_tiles<kFinish, true>(call, TileCounts());
  }
  score_tiles<kFinish, false>(call, TileCounts());
}

// `kKeys` keys' scores, from `weights` on.
template <int kKeys>
HWY_INLINE void make_weights(float* HWY_RESTRICT weights, FloatVector* sums) {
  FloatVector w[2 * kKeys];
#pragma GCC unroll 4
  for (int i = 0; i < 2 * kKeys; ++i) w[i] = load(weights + i * kLanes);
  exp2<2 * kKeys>(w);
#pragma GCC unroll 4
  for (int i = 0; i < 2 * kKeys; ++i) {
    store(w[i], weights + i * kLanes);
    sums[i % 2] = hn::Add(sums[i % 2], w[i]);
  }
}

void weigh(const ScoreCall& call) {
  score<Finish::kScores>(call);
  constexpr int kKeys = kTogether / 2;
  float* HWY_RESTRICT weights = reinterpret_cast<float*>(call.weights);
  FloatVector sums[2] = {splat(0), splat(0)};
  int64_t key = 0;
  for (; key + kKeys <= call.key_count; key += kKeys) make_weights<kKeys>(weights + key * kPanel, sums);
  for (; key < call.key_count; ++key) make_weights<1>(weights + key * kPanel, sums);
  store(sums[0], call.answers);
  store(sums[1], call.answers + kLanes);
}

void find_maxima(const ScoreCall& call) {
  std::fill_n(call.answers, kPanel, -std::numeric_limits<float>::infinity());
  score<Finish::kMaxima>(call);
}

// Values lie as [tile of channels][key][channels of the tile].
template <int kRows>
void result_tile(const ResultCall& call, int64_t channel) {
  float* HWY_RESTRICT results = call.results + channel * kPanel;
  FloatVector low[kRows], high[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    low[r] = call.first ? splat(0) : load(results + r * kPanel);
    high[r] = call.first ? splat(0) : load(results + r * kPanel + kLanes);
  }
  const float* HWY_RESTRICT values = reinterpret_cast<const float*>(call.values) + channel * call.key_count;
  const float* HWY_RESTRICT weights = reinterpret_cast<const float*>(call.weights);
  for (int64_t k = 0; k < call.key_count; ++k, values += kRows, weights += kPanel) {
    prefetch_line(values, kAheadBytes);
    const FloatVector w0 = load(weights), w1 = load(weights + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const FloatVector v = splat(values[r]);
      low[r] = hn::MulAdd(v, w0, low[r]);
      high[r] = hn::MulAdd(v, w1, high[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    store(low[r], results + r * kPanel);
    store(high[r], results + r * kPanel + kLanes);
  }
}

template <int... kRowsLessOne>
void result_tiles(const ResultCall& call, std::integer_sequence<int, kRowsLessOne...>) {
  static constexpr void (*kTiles[])(const ResultCall&, int64_t) = {result_tile<kRowsLessOne + 1>...};
  for_each_tile(call.channels, kTileRows,
                [&](int64_t channel, int64_t rows) { kTiles[rows - 1](call, channel); });
}

void add_values(const ResultCall& call) { result_tiles(call, TileCounts()); }

template <typename T>
const T* row_of(const HeadRows& rows, int64_t row) {
  return reinterpret_cast<const T*>(rows.data + row * rows.row_bytes);
}

template <typename T>
void pack_queries(const HeadRows& rows, double scale, std::byte* out) {
  rows_to_columns(row_of<T>(rows, 0), rows.row_bytes / static_cast<int64_t>(sizeof(T)), rows.count,
                  rows.channels, scale, kPanel, reinterpret_cast<float*>(out));
}

// Rows may lie far apart, each in a page of its own: those that come next are asked for in advance. Not into
// the first-level cache: rows share their places there.
template <typename T>
HWY_INLINE void prefetch_rows(const HeadRows& rows, int64_t first, int64_t count) {
  const auto bytes = rows.channels * static_cast<int64_t>(sizeof(T));
  for (int64_t row = first; row < std::min(first + count, rows.count); ++row) {
    prefetch_lines<2>(row_of<T>(rows, row), 0, bytes);
  }
}

template <typename T>
void pack_keys(const HeadRows& rows, std::byte* out) {
  auto* const to = reinterpret_cast<float*>(out);
  for_each_tile(rows.count, kTileRows, [&](int64_t key, int64_t count) HWY_ATTR {
    prefetch_rows<T>(rows, key + count, count);
    interleave([&](int64_t row) HWY_ATTR { return row_of<T>(rows, key + row); }, count, rows.channels,
               to + key * rows.channels);
  });
}

// So many rows at a time fill whole lines of each tile.
constexpr int64_t kPackedRows = 4;

// A tile's channels are part of a vector. Stores may be whole where the tile goes on behind them: what they
// write there later rows overwrite.
template <typename T>
void pack_values(const HeadRows& rows, std::byte* out) {
  auto* const to = reinterpret_cast<float*>(out);
  for (int64_t first = 0; first < rows.count; first += kPackedRows) {
    const int64_t end = std::min(first + kPackedRows, rows.count);
    prefetch_rows<T>(rows, end, kPackedRows);
    for_each_tile(rows.channels, kTileRows, [&](int64_t channel, int64_t width) HWY_ATTR {
      float* tile = to + channel * rows.count + first * width;
      for (int64_t row = first; row < end; ++row, tile += width) {
        const T* const from = row_of<T>(rows, row) + channel;
        if (kTileRows <= kLanes && (rows.count - row) * width >= kLanes) {
          store(width == kLanes ? load(from) : load_some(from, width), tile);
        } else {
          map(NoActivation(), from, tile, width);
        }
      }
    });
  }
}

template <typename T>
void write_results(const float* results, const float* factors, int64_t count, int64_t channels,
                   std::byte* out, int64_t row_bytes) {
  columns_to_rows(results, factors, kPanel, count, channels, reinterpret_cast<T*>(out),
                  row_bytes / static_cast<int64_t>(sizeof(T)));
}

int64_t query_bytes(int64_t channels) { return whole_lines(kPanel * channels); }
int64_t key_bytes(int64_t keys, int64_t channels) { return whole_lines(keys * channels); }
int64_t value_bytes(int64_t keys, int64_t channels) { return whole_lines(keys * channels); }
int64_t weight_bytes(int64_t keys) { return whole_lines(keys * kPanel); }

template <typename T>
AttentionTiles tiles_of() {
  return {kPanel,       query_bytes,    key_bytes, value_bytes, weight_bytes, pack_queries<T>,
          pack_keys<T>, pack_values<T>, weigh,     find_maxima, add_values,   write_results<T>};
}

AttentionTiles attention_tiles(bool narrow) { return narrow ? tiles_of<uint16_t>() : tiles_of<float>(); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {
HWY_EXPORT(attention_tiles);
}  // namespace

AttentionTiles f32_attention_tiles(DType rows) {
  return HWY_DYNAMIC_DISPATCH(attention_tiles)(rows == DType::kBF16);
}

}  // namespace snug
#endif  // HWY_ONCE
