// Both products of attention are the same one here: up to two tiles of 16 rows (keys, or channels of values)
// times a panel of 32 queries whose inner index goes in pairs, 32 at a step.
//
//   scores  [key][query]     = keys   [key][channel]   · queries [channel pair][query][2]
//   results [channel][query] = values [channel][key]   · weights [key pair][query][2]
//
// Rows lie tile by tile: [tile][step][16 rows][32 inner indices], panels [step][16 pairs][32 queries][2];
// what is missing of the last tile or step is 0.
//
// What binds is the softmax between them. Assumed, until it can be
// measured on a machine that has AMX: a product of tiles occupies its unit for 16 cycles. Then for 32 keys,
// 32 queries and heads of 40 channels, 14 of them take 224 cycles. The 1024 weights take 8 vector
// instructions for each 16, at two a cycle 256 cycles. So the vectors' part is kept short: weights are
// rounded to BF16 anyway, which hides the error of a polynomial of third degree; and the products of the next
// 32 keys begin before the weights of these, so that both units work at the same time.
//
// Order of summation: scores as AmxTiles::multiply sums 32 channels at a time; sums of weights by pairs of
// keys; results go on from the last block's, 32 keys at a time.
#include "backend/cpu/attention_amx.h"

#include <algorithm>
#include <array>
#include <limits>

#include <immintrin.h>

#include "backend/cpu/amx.h"
#include "backend/cpu/amx_tiles.h"
#include "backend/cpu/avx512_transpose.h"
#include "base/check.h"

#define SNUG_AMX_VECTORS __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace snug {
namespace {

constexpr int64_t kPanel = 2 * kTileColumns;
static_assert(kPanel <= kMostPanelQueries);
constexpr int64_t kPanelRowBytes = kPanel * 4;                   // of f32, or of pairs
constexpr int64_t kPanelStepBytes = kTileRows * kPanelRowBytes;  // 32 inner indices
constexpr int64_t kTileBytes = kTileRows * kTileRowBytes;
constexpr int64_t kGroupKeys = 2 * kTileRows;  // whose scores are summed up at a time
constexpr __mmask16 kAll = 0xffff;

constexpr int64_t pieces(int64_t whole, int64_t most) { return (whole + most - 1) / most; }
constexpr int64_t steps_of(int64_t inner) { return pieces(inner, kTileChannels); }

// --- The product

// Registers: sums of row tile t and half h of the panel in 2t + h.
constexpr int kA = 4, kB = 6;

template <int kRowTiles>
void begin_sums(const float* from) {
  if (from == nullptr) {
    AmxTiles::zero<0>();
    AmxTiles::zero<1>();
    if constexpr (kRowTiles == 2) AmxTiles::zero<2>();
    if constexpr (kRowTiles == 2) AmxTiles::zero<3>();
    return;
  }
  AmxTiles::load<0>(from, kPanelRowBytes);
  AmxTiles::load<1>(from + kTileColumns, kPanelRowBytes);
  if constexpr (kRowTiles == 2) {
    AmxTiles::load<2>(from + kTileRows * kPanel, kPanelRowBytes);
    AmxTiles::load<3>(from + kTileRows * kPanel + kTileColumns, kPanelRowBytes);
  }
}

template <int kRowTiles>
void store_sums(float* to) {
  AmxTiles::store<0>(to, kPanelRowBytes);
  AmxTiles::store<1>(to + kTileColumns, kPanelRowBytes);
  if constexpr (kRowTiles == 2) {
    AmxTiles::store<2>(to + kTileRows * kPanel, kPanelRowBytes);
    AmxTiles::store<3>(to + kTileRows * kPanel + kTileColumns, kPanelRowBytes);
  }
}

// to [16 kRowTiles][kPanel] = from + rows · panel; nullptr is 0. Neighbouring products share a tile.
template <int kRowTiles>
void multiply(const std::byte* rows, const std::byte* panel, int64_t steps, const float* from, float* to) {
  begin_sums<kRowTiles>(from);
  const std::byte* const next_rows = rows + steps * kTileBytes;
  for (int64_t at = 0; at < steps * kTileBytes; at += kTileBytes, panel += kPanelStepBytes) {
    AmxTiles::load<kB>(panel, kPanelRowBytes);
    AmxTiles::load<kA>(rows + at, kTileRowBytes);
    AmxTiles::load<kB + 1>(panel + kTileRowBytes, kPanelRowBytes);
    AmxTiles::multiply<0, kA, kB>();
    if constexpr (kRowTiles == 2) AmxTiles::load<kA + 1>(next_rows + at, kTileRowBytes);
    AmxTiles::multiply<1, kA, kB + 1>();
    if constexpr (kRowTiles == 2) AmxTiles::multiply<3, kA + 1, kB + 1>();
    if constexpr (kRowTiles == 2) AmxTiles::multiply<2, kA + 1, kB>();
  }
  store_sums<kRowTiles>(to);
}

// --- Packing

// The scale is left to the scores: scaled queries would have to be rounded to BF16 again.
SNUG_AMX_VECTORS void pack_queries(const HeadRows& rows, double /*scale*/, std::byte* out) {
  for (int64_t step = 0; step < steps_of(rows.channels); ++step, out += kPanelStepBytes) {
    const int64_t channels = std::min(kTileChannels, rows.channels - step * kTileChannels);
    const auto there = static_cast<__mmask32>((uint64_t{1} << channels) - 1);
    for (int64_t half = 0; half < 2; ++half) {
      __m512i pairs[16];
#pragma GCC unroll 16
      for (int64_t i = 0; i < 16; ++i) {
        const int64_t query = half * kTileColumns + i;
        const std::byte* const from = rows.data + query * rows.row_bytes + step * kTileRowBytes;
        pairs[i] = query < rows.count ? _mm512_maskz_loadu_epi16(there, from) : __m512i{};
      }
      transpose_16x16(pairs);
#pragma GCC unroll 16
      for (int64_t i = 0; i < 16; ++i) {
        _mm512_storeu_si512(out + i * kPanelRowBytes + half * kTileRowBytes, pairs[i]);
      }
    }
  }
}

void pack_keys(const HeadRows& rows, std::byte* out) {
  for (int64_t key = 0; key < rows.count; key += kTileRows) {
    const int count = static_cast<int>(std::min<int64_t>(kTileRows, rows.count - key));
    std::array<const std::byte*, kTileRows> pointers = {};
    for (int i = 0; i < count; ++i) pointers[static_cast<size_t>(i)] = rows.data + (key + i) * rows.row_bytes;
    for (int64_t channel = 0; channel < rows.channels; channel += kTileChannels, out += kTileBytes) {
      const int64_t channels = std::min(kTileChannels, rows.channels - channel);
      AmxTiles::gather(pointers.data(), count, channel * 2, channels * 2, out);
    }
  }
}

// 16 channels of two keys' values, side by side in pairs; 0 where there are none.
SNUG_AMX_VECTORS inline __m512i value_pairs(const HeadRows& rows, int64_t key, int64_t channel,
                                            __mmask16 there) {
  if (key >= rows.count) return __m512i{};
  const std::byte* const from = rows.data + key * rows.row_bytes + channel * 2;
  const __m512i even = _mm512_maskz_cvtepu16_epi32(kAll, _mm256_maskz_loadu_epi16(there, from));
  if (key + 1 == rows.count) return even;
  const __m256i odd = _mm256_maskz_loadu_epi16(there, from + rows.row_bytes);
  return _mm512_or_si512(even, _mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, odd), 16));
}

SNUG_AMX_VECTORS void pack_values(const HeadRows& rows, std::byte* out) {
  for (int64_t channel = 0; channel < rows.channels; channel += kTileRows) {
    const int64_t channels = std::min<int64_t>(kTileRows, rows.channels - channel);
    const auto there = static_cast<__mmask16>((1U << channels) - 1);
    for (int64_t key = 0; key < rows.count; key += kTileChannels, out += kTileBytes) {
      __m512i pairs[16];
#pragma GCC unroll 16
      for (int64_t i = 0; i < 16; ++i) pairs[i] = value_pairs(rows, key + 2 * i, channel, there);
      transpose_16x16(pairs);
#pragma GCC unroll 16
      for (int64_t i = 0; i < 16; ++i) _mm512_storeu_si512(out + i * kTileRowBytes, pairs[i]);
    }
  }
}

// --- Scores to weights

// What becomes of scores.
enum class Finish : uint8_t { kWeights, kMaxima };

// 2^x within 7.5e-5 of itself, a twenty-fifth of what rounding to BF16 costs. 0 for -infinity, infinity from
// 128 on; keeps NaN. The polynomial is the best by Remez's exchange for the part of x above a whole number.
SNUG_AMX_VECTORS inline __m512 exp2(__m512 x) {
  constexpr int kAboveWhole = 0x09;  // without exceptions, rounding down, no binary places
  const __m512 r = _mm512_maskz_reduce_ps(kAll, x, kAboveWhole);
  __m512 p = _mm512_set1_ps(0.0780245215F);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.226067156F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.695833564F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.999925196F));
  return _mm512_maskz_scalef_ps(kAll, p, x);
}

// Two keys' weights for 16 queries, as pairs.
SNUG_AMX_VECTORS inline __m512i paired(__m512 even, __m512 odd) {
  alignas(64) static constexpr std::array<uint16_t, 32> kInterleave = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
  return _mm512_maskz_permutexvar_epi16(0xffffffff, _mm512_load_si512(kInterleave.data()), both);
}

// Those of 16 queries, the first of them `lane`, that may see the key.
inline __mmask16 seeing(const ScoreCall& call, int64_t key, int64_t lane) {
  if (key >= call.key_count) return 0;
  if (!call.causal) return kAll;
  return static_cast<__mmask16>(kAll << std::clamp<int64_t>(key - call.first_seen - lane, 0, 16));
}

// The scores [32 keys][kPanel] of a group of keys: made weights, or only their highest found. kMasked: some
// query may not see some key, or there are fewer keys than the group has; the others' weights are 0.
template <Finish kFinish, bool kMasked>
SNUG_AMX_VECTORS void finish_group(const ScoreCall& call, int64_t key, const float* scores,
                                   __m512 (&answers)[2]) {
  const __m512 scale = _mm512_set1_ps(static_cast<float>(call.scale));
  const __m512 never = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  const auto ones = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f80));
  std::byte* const weights = call.weights + key / 2 * kPanelRowBytes;
  for (int64_t half = 0; half < 2; ++half) {
    const int64_t lane = half * kTileColumns;
    const __m512 offset = kFinish == Finish::kWeights ? _mm512_loadu_ps(call.offsets + lane) : __m512{};
    __m512 answer = answers[half];
    const int64_t keys = kMasked ? std::min(kGroupKeys, call.key_count - key) : kGroupKeys;
#pragma GCC unroll 4
    for (int64_t i = 0; i < keys; i += 2) {
      const float* const from = scores + i * kPanel + lane;
      __m512 even = _mm512_fmsub_ps(_mm512_loadu_ps(from), scale, offset);
      __m512 odd = _mm512_fmsub_ps(_mm512_loadu_ps(from + kPanel), scale, offset);
      if constexpr (kMasked) {
        even = _mm512_mask_blend_ps(seeing(call, key + i, lane), never, even);
        odd = _mm512_mask_blend_ps(seeing(call, key + i + 1, lane), never, odd);
      }
      if constexpr (kFinish == Finish::kWeights) {
        even = exp2(even);
        odd = exp2(odd);
        // Sums are those of the rounded weights, which results are made of.
        const __m512i pair = paired(even, odd);
        answer = _mm512_dpbf16_ps(answer, ones, reinterpret_cast<__m512bh>(pair));
        _mm512_storeu_si512(weights + i / 2 * kPanelRowBytes + half * kTileRowBytes, pair);
      } else {
        answer = _mm512_maskz_max_ps(kAll, answer, _mm512_maskz_max_ps(kAll, even, odd));
      }
    }
    for (int64_t i = (keys + 1) / 2; kFinish == Finish::kWeights && i < kTileRows; ++i) {
      _mm512_storeu_si512(weights + i * kPanelRowBytes + half * kTileRowBytes, __m512i{});
    }
    answers[half] = answer;
  }
}

// The scores of up to 32 keys from `key` on, not yet scaled.
void multiply_group(const ScoreCall& call, int64_t key, float* scores) {
  const int64_t steps = steps_of(call.channels);
  const std::byte* const keys = call.keys + key / kTileRows * steps * kTileBytes;
  if (call.key_count - key > kTileRows) return multiply<2>(keys, call.queries, steps, nullptr, scores);
  multiply<1>(keys, call.queries, steps, nullptr, scores);
}

template <Finish kFinish>
SNUG_AMX_VECTORS void score(const ScoreCall& call) {
  const AmxScope scope;
  // Not initialised; of a group that has one tile only, what is not written is masked.
  alignas(64) std::array<std::array<float, kGroupKeys * kPanel>, 2> scores;
  const float nothing = kFinish == Finish::kWeights ? 0 : -std::numeric_limits<float>::infinity();
  __m512 answers[2];
  for (__m512& answer : answers) answer = _mm512_set1_ps(nothing);
  multiply_group(call, 0, scores[0].data());
  for (int64_t key = 0, group = 0; key < call.key_count; key += kGroupKeys, ++group) {
    const int64_t next = key + kGroupKeys;
    if (next < call.key_count)
      multiply_group(call, next, scores[static_cast<size_t>((group + 1) % 2)].data());
    const float* const here = scores[static_cast<size_t>(group % 2)].data();
    const bool masked = next > call.key_count || (call.causal && call.first_seen < next - 1);
    masked ? finish_group<kFinish, true>(call, key, here, answers)
           : finish_group<kFinish, false>(call, key, here, answers);
  }
  for (int64_t half = 0; half < 2; ++half) {
    _mm512_storeu_ps(call.answers + half * kTileColumns, answers[half]);
  }
}

void weigh(const ScoreCall& call) { score<Finish::kWeights>(call); }
void find_maxima(const ScoreCall& call) { score<Finish::kMaxima>(call); }

// --- Results

// kRowTiles tiles of channels from `channel` on. Results have no rows for channels that are missing of the
// last tile: it goes by way of a copy.
template <int kRowTiles>
void add_tiles(const ResultCall& call, int64_t channel) {
  const int64_t steps = steps_of(call.key_count);
  const std::byte* const values = call.values + channel / kTileRows * steps * kTileBytes;
  float* const results = call.results + channel * kPanel;
  const int64_t channels = call.channels - channel;
  if (channels >= kRowTiles * kTileRows) {
    return multiply<kRowTiles>(values, call.weights, steps, call.first ? nullptr : results, results);
  }
  alignas(64) std::array<float, kRowTiles* kTileRows* kPanel> copy = {};
  if (!call.first) std::copy_n(results, channels * kPanel, copy.data());
  multiply<kRowTiles>(values, call.weights, steps, call.first ? nullptr : copy.data(), copy.data());
  std::copy_n(copy.data(), channels * kPanel, results);
}

void add_values(const ResultCall& call) {
  const AmxScope scope;
  int64_t channel = 0;
  for (; call.channels - channel > kTileRows; channel += 2 * kTileRows) add_tiles<2>(call, channel);
  if (channel < call.channels) add_tiles<1>(call, channel);
}

int64_t query_bytes(int64_t channels) { return steps_of(channels) * kPanelStepBytes; }
int64_t key_bytes(int64_t keys, int64_t channels) {
  return pieces(keys, kTileRows) * steps_of(channels) * kTileBytes;
}
int64_t value_bytes(int64_t keys, int64_t channels) {
  return pieces(channels, kTileRows) * steps_of(keys) * kTileBytes;
}
int64_t weight_bytes(int64_t keys) { return steps_of(keys) * kPanelStepBytes; }

}  // namespace

AttentionTiles amx_attention_tiles() {
  const AttentionTiles floats = f32_attention_tiles(DType::kBF16);
  SNUG_CHECK(floats.panel_queries == kPanel, "AVX-512 is used beside AMX");
  AttentionTiles tiles;
  tiles.panel_queries = kPanel;
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
  tiles.write_results = floats.write_results;  // results lie alike
  return tiles;
}

}  // namespace snug
