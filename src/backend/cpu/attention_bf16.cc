// Attention's tiles for BF16 rows by AVX-512's vdpbf16ps, which takes pairs of neighbouring elements: a panel
// of queries holds pairs of channels, weights and values hold pairs of keys. Keys lie as they come. Sums and
// softmax are F32; weights are rounded to BF16 before they are summed up, so that their rounding is in both
// sums and cancels. Written with intrinsics: Highway 1.0.3 does not have these instructions.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include <immintrin.h>

#include "backend/cpu/attention_tiles.h"
#include "backend/cpu/avx512_transpose.h"
#include "base/check.h"

#define SNUG_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace snug {
namespace {

constexpr int64_t kLanes = 16, kPanel = 2 * kLanes;
// Rows of a tile, of keys or of channels; keys come in pairs.
constexpr int kTileRows = 14;
constexpr int64_t kTilePairs = kTileRows / 2;
constexpr __mmask16 kAll =
    0xffff;  // g++ 12 takes the plain forms for uses of uninitialised values (its bug 105593)

int64_t pairs(int64_t count) { return (count + 1) / 2; }
int64_t whole_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }
// Bytes from one packed key to the next: an even number of channels. A power of two would put the keys of a
// tile into the same few sets of the first-level cache.
int64_t key_stride(int64_t channels) { return pairs(channels) * 4 + (channels % 128 == 0 ? 32 : 0); }

SNUG_BF16 inline __m512bh pair_at(const std::byte* from) {
  int pair = 0;
  std::memcpy(&pair, from, sizeof(pair));
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}
SNUG_BF16 inline __m512bh pairs_at(const std::byte* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}

SNUG_BF16 inline __m512bh pair_of_ones() { return reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80)); }

// 2^x, to half an ulp of BF16 and a little: Remez's exchange for |r| <= 1/2, 7.5e-5.
SNUG_BF16 inline __m512 exp2(__m512 x) {
  const __m512 n = _mm512_maskz_roundscale_ps(kAll, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 r = _mm512_sub_ps(x, n);
  __m512 p = _mm512_set1_ps(5.51716685e-2F);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.242611125F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.693260968F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.999928057F));
  return _mm512_maskz_scalef_ps(kAll, p, n);
}

// Lanes of `low` and `high` as pairs, rounded to nearest even.
SNUG_BF16 inline __m512i pairs_of(__m512 low, __m512 high) {
  const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
  // From all of low before all of high to lane beside lane.
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                         22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_maskz_permutexvar_epi16(0xffffffff, order, halves);
}

enum class Finish : uint8_t { kWeights, kMaxima };

// Lanes that may not see the key get -infinity.
SNUG_BF16 inline __m512 mask_future(__m512 score, int64_t first_seen, int64_t key, int64_t lane) {
  // Lane i sees the key if first_seen + lane + i >= key.
  const int64_t unseeing = std::clamp<int64_t>(key - first_seen - lane, 0, kLanes);
  const auto mask = static_cast<__mmask16>((1U << unseeing) - 1);
  return _mm512_mask_mov_ps(score, mask, _mm512_set1_ps(-std::numeric_limits<float>::infinity()));
}

// Weights of the tile's scores in pairs of keys, and their sums; an odd last key is paired with 0.
template <int kRows>
SNUG_BF16 inline void store_weights(const ScoreCall& call, int64_t key, __m512 (&scores)[kRows][2]) {
  const __m512bh ones = pair_of_ones();
  std::byte* const to = call.weights + key / 2 * kPanel * 4;
#pragma GCC unroll 2
  for (int v = 0; v < 2; ++v) {
    const __m512 scale = _mm512_set1_ps(static_cast<float>(call.scale)),
                 offset = _mm512_loadu_ps(call.offsets + v * kLanes);
    __m512 sum = _mm512_loadu_ps(call.answers + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r += 2) {
      const __m512 low = exp2(_mm512_fmsub_ps(scores[r][v], scale, offset));
      const __m512 high = r + 1 < kRows
                              ? exp2(_mm512_fmsub_ps(scores[r + 1 < kRows ? r + 1 : r][v], scale, offset))
                              : _mm512_setzero_ps();
      const __m512i pair = pairs_of(low, high);
      _mm512_storeu_si512(to + r / 2 * kPanel * 4 + v * 64, pair);
      sum = _mm512_dpbf16_ps(sum, ones, reinterpret_cast<__m512bh>(pair));
    }
    _mm512_storeu_ps(call.answers + v * kLanes, sum);
  }
}

// Keys [key, key + kRows) of the call; key is even.
template <int kRows, Finish kFinish, bool kCausal>
SNUG_BF16 void score_tile(const ScoreCall& call, int64_t key) {
  __m512 scores[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) scores[r][0] = scores[r][1] = _mm512_setzero_ps();
  const int64_t stride = key_stride(call.channels);
  const std::byte* __restrict keys = call.keys + key * stride;
  const std::byte* __restrict queries = call.queries;
  for (int64_t c = pairs(call.channels); c > 0; --c, keys += 4, queries += kPanel * 4) {
    const __m512bh q0 = pairs_at(queries), q1 = pairs_at(queries + 64);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512bh k = pair_at(keys + r * stride);
      scores[r][0] = _mm512_dpbf16_ps(scores[r][0], k, q0);
      scores[r][1] = _mm512_dpbf16_ps(scores[r][1], k, q1);
    }
  }
  if constexpr (kCausal) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      scores[r][0] = mask_future(scores[r][0], call.first_seen, key + r, 0);
      scores[r][1] = mask_future(scores[r][1], call.first_seen, key + r, kLanes);
    }
  }
  if constexpr (kFinish == Finish::kWeights) return store_weights<kRows>(call, key, scores);
#pragma GCC unroll 2
  for (int v = 0; v < 2; ++v) {
    __m512 most = _mm512_loadu_ps(call.answers + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      most = _mm512_maskz_max_ps(kAll, most,
                                 _mm512_mul_ps(scores[r][v], _mm512_set1_ps(static_cast<float>(call.scale))));
    }
    _mm512_storeu_ps(call.answers + v * kLanes, most);
  }
}

using TileCounts = std::make_integer_sequence<int, kTileRows>;

template <Finish kFinish, bool kCausal, int... kRowsLessOne>
void score_tiles(const ScoreCall& call, std::integer_sequence<int, kRowsLessOne...>) {
  static constexpr void (*kTiles[])(const ScoreCall&,
                                    int64_t) = {score_tile<kRowsLessOne + 1, kFinish, kCausal>...};
  const float nothing = kFinish == Finish::kWeights ? 0 : -std::numeric_limits<float>::infinity();
  std::fill_n(call.answers, kPanel, nothing);
  for_each_tile(pairs(call.key_count), kTilePairs, [&](int64_t pair, int64_t count) {
    kTiles[std::min(2 * count, call.key_count - 2 * pair) - 1](call, 2 * pair);
  });
}

template <Finish kFinish>
void score(const ScoreCall& call) {
  if (call.causal && call.first_seen < call.key_count - 1) {
    return score_tiles<kFinish, true>(call, TileCounts());
  }
  score_tiles<kFinish, false>(call, TileCounts());
}

void weigh(const ScoreCall& call) { score<Finish::kWeights>(call); }
void find_maxima(const ScoreCall& call) { score<Finish::kMaxima>(call); }

// Values lie as [tile of channels][pair of keys][channels of the tile].
template <int kRows>
SNUG_BF16 void result_tile(const ResultCall& call, int64_t channel) {
  float* __restrict results = call.results + channel * kPanel;
  __m512 sums[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      sums[r][v] = call.first ? _mm512_setzero_ps() : _mm512_loadu_ps(results + r * kPanel + v * kLanes);
    }
  }
  const int64_t key_pairs = pairs(call.key_count);
  const std::byte* __restrict values = call.values + channel * key_pairs * 4;
  const std::byte* __restrict weights = call.weights;
  for (int64_t k = key_pairs; k > 0; --k, values += kRows * 4, weights += kPanel * 4) {
    const __m512bh w0 = pairs_at(weights), w1 = pairs_at(weights + 64);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512bh x = pair_at(values + r * 4);
      sums[r][0] = _mm512_dpbf16_ps(sums[r][0], x, w0);
      sums[r][1] = _mm512_dpbf16_ps(sums[r][1], x, w1);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) _mm512_storeu_ps(results + r * kPanel + v * kLanes, sums[r][v]);
  }
}

template <int... kRowsLessOne>
void result_tiles(const ResultCall& call, std::integer_sequence<int, kRowsLessOne...>) {
  static constexpr void (*kTiles[])(const ResultCall&, int64_t) = {result_tile<kRowsLessOne + 1>...};
  for_each_tile(call.channels, kTileRows,
                [&](int64_t channel, int64_t rows) { kTiles[rows - 1](call, channel); });
}

void add_values(const ResultCall& call) { result_tiles(call, TileCounts()); }

// The first `count` of 32 elements, the rest 0; any count above is 32.
__mmask32 first_of_32(int64_t count) {
  return count >= 32 ? 0xffffffffU : (1U << static_cast<uint32_t>(count)) - 1;
}

// [pair of channels][query]. The scale waits for the scores, so that queries are not rounded once more.
SNUG_BF16 void pack_queries(const HeadRows& rows, double /*scale*/, std::byte* out) {
  for (int64_t c = 0; c < rows.channels; c += 2 * kLanes) {
    const __mmask32 mask = first_of_32(rows.channels - c);
    const int64_t width = std::min(kLanes, pairs(rows.channels - c));
    for (int64_t first = 0; first < kPanel; first += kLanes) {
      __m512i square[kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) {
        square[i] = first + i < rows.count
                        ? _mm512_maskz_loadu_epi16(mask, rows.data + (first + i) * rows.row_bytes + c * 2)
                        : _mm512_setzero_si512();
      }
      transpose_16x16(square);
      std::byte* const to = out + (c / 2 * kPanel + first) * 4;
#pragma GCC unroll 16
      for (int64_t j = 0; j < kLanes; ++j) {
        if (j < width) _mm512_storeu_si512(to + j * kPanel * 4, square[j]);
      }
    }
  }
}

SNUG_BF16 void pack_keys(const HeadRows& rows, std::byte* out) {
  const int64_t stride = key_stride(rows.channels);
  for (int64_t row = 0; row < rows.count; ++row, out += stride) {
    const std::byte* const from = rows.data + row * rows.row_bytes;
    for (int64_t c = 0; c < rows.channels; c += 2 * kLanes) {
      const __m512i x = _mm512_maskz_loadu_epi16(first_of_32(rows.channels - c), from + c * 2);
      _mm512_mask_storeu_epi16(out + c * 2, first_of_32(2 * pairs(rows.channels - c)), x);
    }
  }
}

SNUG_BF16 inline __m512i widened(__mmask16 mask, const std::byte* from) {
  return _mm512_maskz_cvtepu16_epi32(kAll, _mm256_maskz_loadu_epi16(mask, from));
}

SNUG_BF16 void pack_values(const HeadRows& rows, std::byte* out) {
  const int64_t key_pairs = pairs(rows.count);
  for (int64_t pair = 0; pair < key_pairs; ++pair) {
    const std::byte* const even = rows.data + 2 * pair * rows.row_bytes;
    const bool has_odd = 2 * pair + 1 < rows.count;
    for_each_tile(rows.channels, kTileRows, [&](int64_t c, int64_t width) SNUG_BF16 {
      const auto mask = static_cast<__mmask16>(first_of_32(width));
      __m512i x = widened(mask, even + c * 2);
      if (has_odd) {
        const __m512i odd = widened(mask, even + rows.row_bytes + c * 2);
        x = _mm512_or_si512(x, _mm512_maskz_slli_epi32(kAll, odd, 16));
      }
      _mm512_mask_storeu_epi32(out + (c * key_pairs + pair * width) * 4, mask, x);
    });
  }
}

int64_t query_bytes(int64_t channels) { return pairs(channels) * kPanel * 4; }
int64_t key_bytes(int64_t keys, int64_t channels) { return whole_lines(keys * key_stride(channels)); }
int64_t value_bytes(int64_t keys, int64_t channels) { return whole_lines(pairs(keys) * channels * 4); }
int64_t weight_bytes(int64_t keys) { return pairs(keys) * kPanel * 4; }

}  // namespace

AttentionTiles bf16_attention_tiles() {
  AttentionTiles tiles = f32_attention_tiles(DType::kBF16);  // for write_results
  SNUG_CHECK(tiles.panel_queries == kPanel, "a panel is two vectors of AVX-512");
  tiles.query_bytes = query_bytes;
  tiles.key_bytes = key_bytes;
  tiles.value_bytes = value_bytes;
  tiles.weight_bytes = weight_bytes;
  tiles.pack_queries = pack_queries;
  tiles.pack_keys = pack_keys;
  tiles.pack_values = pack_values;
  tiles.weigh = weigh;
  tiles.find_maxima = find_maxima;
  tiles.add_values = add_values;
  return tiles;
}

}  // namespace snug
