// Transposition of a square of a vector's lanes. Compiled once for each instruction set: include after
// hwy/foreach_target.h and hwy/highway.h.
#if defined(SNUG_BACKEND_CPU_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SNUG_BACKEND_CPU_TRANSPOSE_INL_H
#undef SNUG_BACKEND_CPU_TRANSPOSE_INL_H
#else
#define SNUG_BACKEND_CPU_TRANSPOSE_INL_H
#endif

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

}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#endif
