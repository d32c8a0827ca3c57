// Tiles of a product of BF16 rows with sums in F32, by AVX-512's vdpbf16ps: each lane takes a pair of
// neighbouring channels at a time, so a panel holds pairs. Written with intrinsics: Highway 1.0.3 does not
// have this instruction.
#include <algorithm>
#include <cstring>
#include <utility>

#include <immintrin.h>

#include "backend/cpu/gemm_tile.h"

#define SNUG_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace snug {
namespace {

constexpr int kTileRows = 14;
constexpr int64_t kLanes = 16;

// Two channels of a row; memory has no alignment to speak of.
SNUG_BF16 inline __m512bh pair_at(const std::byte* from) {
  int pair = 0;
  std::memcpy(&pair, from, sizeof(pair));
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}
// The last channel of an odd number, and 0.
SNUG_BF16 inline __m512bh single_at(const std::byte* from) {
  uint16_t single = 0;
  std::memcpy(&single, from, sizeof(single));
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(single));
}
SNUG_BF16 inline __m512bh panel_at(const std::byte* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}

template <int kRows, int kVectors>
SNUG_BF16 void multiply_tile(const TileCall& call) {
  __m512 sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_setzero_ps();
  }
  const std::byte* __restrict b = call.panel;
  const std::byte* const* a = call.a;
  const int64_t whole = call.channels / 2 * 4;  // bytes of a row's pairs
  for (int64_t tap = 0; tap < call.taps; ++tap, a += kMostTileRows) {
    const std::byte* rows[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) rows[r] = a[r];
    __m512bh panel[kVectors];
    for (int64_t at = 0; at < whole; at += 4, b += kVectors * 64) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) panel[v] = panel_at(b + v * 64);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const __m512bh x = pair_at(rows[r] + at);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], x, panel[v]);
      }
    }
    if (call.channels % 2 == 0) continue;
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) panel[v] = panel_at(b + v * 64);
    b += kVectors * 64;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512bh x = single_at(rows[r] + whole);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], x, panel[v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      float* const to = call.sums[r] + v * kLanes;
      _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sums[r][v]));
    }
  }
}

template <int kVectors, int... kRowsLessOne>
void multiply_rows(int rows, const TileCall& call, std::integer_sequence<int, kRowsLessOne...>) {
  static constexpr void (*kTiles[])(const TileCall&) = {multiply_tile<kRowsLessOne + 1, kVectors>...};
  kTiles[rows - 1](call);
}

void multiply(int rows, int64_t width, const TileCall& call) {
  constexpr auto kCounts = std::make_integer_sequence<int, kTileRows>();
  if (width == kLanes) return multiply_rows<1>(rows, call, kCounts);
  multiply_rows<2>(rows, call, kCounts);
}

// 16 lanes of two rows of a panel of floats as pairs of BF16, rounded to nearest even. With masks of all
// lanes, because g++ 12 takes the plain forms for uses of uninitialised values (its bug 105593).
SNUG_BF16 inline void narrow(const float* even, const float* odd, std::byte* to) {
  const auto low = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(even)));
  __m512i pairs = _mm512_maskz_cvtepu16_epi32(0xffff, low);
  if (odd != nullptr) {
    const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(odd)));
    pairs = _mm512_or_si512(pairs,
                            _mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, high), 16));
  }
  _mm512_storeu_si512(to, pairs);
}

// Halves of the file's type as BF16: the lanes of `mask`.
SNUG_BF16 inline __m512i bf16_at(DType type, const uint16_t* from, __mmask16 mask) {
  __m256i halves = _mm256_maskz_loadu_epi16(mask, from);
  if (type == DType::kF16)
    halves = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_maskz_cvtph_ps(0xffff, halves)));
  return _mm512_maskz_cvtepu16_epi32(0xffff, halves);
}

// A row of a packed block of two channels, side by side, from a row of each; or of one alone.
SNUG_BF16 void pair_rows(DType type, const uint16_t* even, const uint16_t* odd, int64_t columns,
                         uint16_t* to) {
  for (int64_t column = 0; column < columns; column += kLanes) {
    const int64_t lanes = std::min(kLanes, columns - column);
    const auto mask = static_cast<__mmask16>((1U << lanes) - 1);
    const __m512i low = bf16_at(type, even + column, mask);
    if (odd == nullptr) {
      _mm256_mask_storeu_epi16(to + column, mask, _mm512_maskz_cvtepi32_epi16(0xffff, low));
      continue;
    }
    const __m512i high = _mm512_maskz_slli_epi32(0xffff, bf16_at(type, odd + column, mask), 16);
    _mm512_mask_storeu_epi32(to + 2 * column, mask, _mm512_or_si512(low, high));
  }
}

// F16 and BF16 become pairs of BF16; F32 stays as it is, and is narrowed each time.
SNUG_BF16 void pack(const PackCall& call) {
  static const TileKernels floats = f32_tile_kernels();
  floats.pack(call);
  if (call.type == DType::kF32) return;
  auto* block = reinterpret_cast<uint16_t*>(call.packed);
  for (int64_t channel = 0; channel < call.channels; channel += call.block_channels) {
    const int64_t channels = std::min(call.block_channels, call.channels - channel);
    const int64_t elements = call.taps * channels * call.columns;
    std::memcpy(call.room, block, static_cast<size_t>(elements) * sizeof(uint16_t));
    const auto* from = reinterpret_cast<const uint16_t*>(call.room);
    for (int64_t tap = 0; tap < call.taps; ++tap) {
      for (int64_t c = 0; c < channels; c += 2) {
        const bool both = c + 1 < channels;
        pair_rows(call.type, from, both ? from + call.columns : nullptr, call.columns, block);
        from += (both ? 2 : 1) * call.columns;
        block += (both ? 2 : 1) * call.columns;
      }
    }
  }
}

// F32 weights, rounded.
SNUG_BF16 void narrow_panel(const PanelCall& call) {
  static const TileKernels floats = f32_tile_kernels();
  PanelCall wide = call;
  wide.panel = reinterpret_cast<std::byte*>(call.floats);
  floats.expand(wide);
  const float* from = call.floats;
  std::byte* to = call.panel;
  for (int64_t tap = 0; tap < call.taps; ++tap) {
    for (int64_t channel = 0; channel < call.channels; channel += 2) {
      const float* const odd = channel + 1 < call.channels ? from + call.width : nullptr;
      for (int64_t lane = 0; lane < call.width; lane += kLanes, to += 64) {
        narrow(from + lane, odd == nullptr ? nullptr : odd + lane, to);
      }
      from += odd == nullptr ? call.width : 2 * call.width;
    }
  }
}

// Pairs, filled up to the width; a channel without a partner gets 0.
void widen_pairs(const PanelCall& call) {
  const auto* from = reinterpret_cast<const uint16_t*>(call.packed);
  auto* to = reinterpret_cast<uint16_t*>(call.panel);
  for (int64_t tap = 0; tap < call.taps; ++tap) {
    for (int64_t channel = 0; channel < call.channels; channel += 2, to += 2 * call.width) {
      std::fill_n(to, 2 * call.width, uint16_t{0});
      if (channel + 1 < call.channels) {
        std::copy_n(from, 2 * call.columns, to);
        from += 2 * call.columns;
      } else {
        for (int64_t i = 0; i < call.columns; ++i) to[2 * i] = *from++;
      }
    }
  }
}

SNUG_BF16 void expand(const PanelCall& call) {
  if (call.type == DType::kF32) return narrow_panel(call);
  widen_pairs(call);
}

}  // namespace

TileKernels bf16_tile_kernels() {
  return {.rows = kTileRows,
          .wide = 2 * kLanes,
          .narrow = kLanes,
          .pairs = true,
          .pack = pack,
          .expand = expand,
          .multiply = multiply};
}

}  // namespace snug
