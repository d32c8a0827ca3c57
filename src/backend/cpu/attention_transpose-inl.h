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
#include "backend/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {

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
