// Transposition of rows of pixels into panels of queries and back, for attention's tiles. Compiled once for
// each instruction set: include after hwy/foreach_target.h and hwy/highway.h.
#if defined(SNUG_BACKEND_CPU_ATTENTION_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SNUG_BACKEND_CPU_ATTENTION_TRANSPOSE_INL_H
#undef SNUG_BACKEND_CPU_ATTENTION_TRANSPOSE_INL_H
#else
#define SNUG_BACKEND_CPU_ATTENTION_TRANSPOSE_INL_H
#endif

#include <algorithm>
#include <cstdint>

#include <hwy/highway.h>

#include "backend/cpu/simd_memory-inl.h"

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2
// The four by four blocks on the diagonal of each four rows: lane 4b + i of row j becomes lane 4b + j of row
// i, in every 128-bit block b.
HWY_INLINE void transpose_in_blocks(FloatVector& r0, FloatVector& r1, FloatVector& r2, FloatVector& r3) {
  const hn::Repartition<double, Floats> pairs;
  const auto low = hn::BitCast(pairs, hn::InterleaveLower(Floats(), r0, r1));
  const auto high = hn::BitCast(pairs, hn::InterleaveUpper(Floats(), r0, r1));
  const auto low2 = hn::BitCast(pairs, hn::InterleaveLower(Floats(), r2, r3));
  const auto high2 = hn::BitCast(pairs, hn::InterleaveUpper(Floats(), r2, r3));
  r0 = hn::BitCast(Floats(), hn::InterleaveLower(pairs, low, low2));
  r1 = hn::BitCast(Floats(), hn::InterleaveUpper(pairs, low, low2));
  r2 = hn::BitCast(Floats(), hn::InterleaveLower(pairs, high, high2));
  r3 = hn::BitCast(Floats(), hn::InterleaveUpper(pairs, high, high2));
}
#endif

// Rows become columns: lane i of vector j goes to lane j of vector i.
HWY_INLINE void transpose(FloatVector (&rows)[kLanes]) {
#if HWY_TARGET <= HWY_AVX2
#pragma GCC unroll 4
  for (int64_t i = 0; i < kLanes; i += 4) {
    transpose_in_blocks(rows[i], rows[i + 1], rows[i + 2], rows[i + 3]);
  }
#endif
#if HWY_TARGET <= HWY_AVX3
  // What is left are the 128-bit blocks: vectors i, i + 4, i + 8 and i + 12 hold a four by four of them.
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512 a = rows[i].raw, b = rows[i + 4].raw, c = rows[i + 8].raw, d = rows[i + 12].raw;
    const __m512 ab02 = _mm512_shuffle_f32x4(a, b, 0x88), ab13 = _mm512_shuffle_f32x4(a, b, 0xdd);
    const __m512 cd02 = _mm512_shuffle_f32x4(c, d, 0x88), cd13 = _mm512_shuffle_f32x4(c, d, 0xdd);
    rows[i] = FloatVector{_mm512_shuffle_f32x4(ab02, cd02, 0x88)};
    rows[i + 4] = FloatVector{_mm512_shuffle_f32x4(ab13, cd13, 0x88)};
    rows[i + 8] = FloatVector{_mm512_shuffle_f32x4(ab02, cd02, 0xdd)};
    rows[i + 12] = FloatVector{_mm512_shuffle_f32x4(ab13, cd13, 0xdd)};
  }
#elif HWY_TARGET <= HWY_AVX2
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const FloatVector low = rows[i], high = rows[i + 4];
    rows[i] = hn::ConcatLowerLower(Floats(), high, low);
    rows[i + 4] = hn::ConcatUpperUpper(Floats(), high, low);
  }
#else
  float lanes[kLanes][kLanes], column[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) store(rows[i], lanes[i]);
  for (int64_t i = 0; i < kLanes; ++i) {
    for (int64_t j = 0; j < kLanes; ++j) column[j] = lanes[j][i];
    rows[i] = load(column);
  }
#endif
}

// rows [count, stride] → columns [channels][panel], scaled (in two parts: what a float cannot hold of the
// scale would be an error that all products share); the lanes of absent rows are 0. `panel` is a multiple of
// kLanes.
template <typename T>
HWY_INLINE void rows_to_columns(const T* rows, int64_t stride, int64_t count, int64_t channels, double scale,
                                int64_t panel, float* out) {
  const auto scale_high = static_cast<float>(scale);
  const auto scale_low = static_cast<float>(scale - scale_high);
  for (int64_t c = 0; c < channels; c += kLanes) {
    const int64_t width = std::min<int64_t>(kLanes, channels - c);
    for (int64_t first = 0; first < panel; first += kLanes) {
      FloatVector square[kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) {
        const T* from = rows + (first + i) * stride + c;
        square[i] = first + i >= count ? splat(0) : width == kLanes ? load(from) : load_some(from, width);
        square[i] = hn::MulAdd(square[i], splat(scale_high), hn::Mul(square[i], splat(scale_low)));
      }
      transpose(square);
      float* to = out + c * panel + first;
      if (width == kLanes) {
#pragma GCC unroll 16
        for (int64_t j = 0; j < kLanes; ++j) store(square[j], to + j * panel);
      } else {
        for (int64_t j = 0; j < width; ++j) store(square[j], to + j * panel);
      }
    }
  }
}

// columns [channels][panel] · factors [panel] → rows [count, stride].
template <typename T>
HWY_INLINE void columns_to_rows(const float* columns, const float* factors, int64_t panel, int64_t count,
                                int64_t channels, T* out, int64_t stride) {
  for (int64_t first = 0; first < count; first += kLanes) {
    const FloatVector factor = load(factors + first);
    const int64_t height = std::min<int64_t>(kLanes, count - first);
    for (int64_t c = 0; c < channels; c += kLanes) {
      const int64_t width = std::min<int64_t>(kLanes, channels - c);
      const float* from = columns + c * panel + first;
      FloatVector square[kLanes];
#pragma GCC unroll 16
      for (int64_t j = 0; j < kLanes; ++j) {
        square[j] = j < width ? hn::Mul(load(from + j * panel), factor) : splat(0);
      }
      transpose(square);
      T* to = out + first * stride + c;
#pragma GCC unroll 16
      for (int64_t i = 0; i < height; ++i) {
        if (width == kLanes) {
          store(square[i], to + i * stride);
        } else {
          store_some(square[i], to + i * stride, width);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#endif
