// A tile's few rows, interleaved: all rows' first channels, then all rows' second ones. A tile reads them as
// one stream: rows that lie apart meet in the same few sets of the first-level cache, and each is a stream of
// its own. Compiled once for each instruction set: include after hwy/foreach_target.h and hwy/highway.h.
#if defined(SNUG_BACKEND_CPU_INTERLEAVE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SNUG_BACKEND_CPU_INTERLEAVE_INL_H
#undef SNUG_BACKEND_CPU_INTERLEAVE_INL_H
#else
#define SNUG_BACKEND_CPU_INTERLEAVE_INL_H
#endif

#include <algorithm>
#include <cstdint>

#include <hwy/highway.h>

#include "backend/cpu/simd_memory-inl.h"
#include "backend/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {

// `rows` rows of `channels` elements, row r from row_at(r) on, of float or of BF16 in uint16_t → `out`
// [channels][rows] of float. Writes these and nothing else.
template <class RowAt>
HWY_INLINE void interleave(const RowAt& row_at, int64_t rows, int64_t channels, float* out) {
  for (int64_t first = 0; first < rows; first += kLanes) {
    const int64_t height = std::min(kLanes, rows - first);
    for (int64_t c = 0; c < channels; c += kLanes) {
      const int64_t width = std::min(kLanes, channels - c);
      FloatVector square[kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) {
        const auto* const from = row_at(first + std::min(i, height - 1)) + c;
        square[i] = width == kLanes ? load(from) : load_some(from, width);
      }
      transpose(square);
      float* const to = out + c * rows + first;
#pragma GCC unroll 16
      for (int64_t j = 0; j < kLanes; ++j) {
        if (j >= width) break;
        // Whole, too, where the next channels overwrite what it writes too much.
        if (height == kLanes || (height == rows && (channels - c - j) * rows >= kLanes)) {
          store(square[j], to + j * rows);
        } else {
          store_some(square[j], to + j * rows, height);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#endif
