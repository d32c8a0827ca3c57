// Sums over a row of channels, for the norms of this folder. Compiled once for each instruction set: include
// after hwy/foreach_target.h and hwy/highway.h.
#if defined(SNUG_BACKEND_CPU_ROW_SUM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SNUG_BACKEND_CPU_ROW_SUM_INL_H
#undef SNUG_BACKEND_CPU_ROW_SUM_INL_H
#else
#define SNUG_BACKEND_CPU_ROW_SUM_INL_H
#endif

#include <hwy/highway.h>

#include "backend/cpu/simd_memory-inl.h"

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {

// Sum over a row of (x - centre), or of its square, in four chains.
template <bool kSquare, typename T>
HWY_INLINE float row_sum(const T* x, int64_t count, float centre) {
  const FloatVector c = splat(centre);
  const auto accumulate = [&](FloatVector sum, FloatVector v) HWY_ATTR {
    const FloatVector d = hn::Sub(v, c);
    return kSquare ? hn::MulAdd(d, d, sum) : hn::Add(sum, d);
  };
  FloatVector s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0);
  int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    s0 = accumulate(s0, load(x + i));
    s1 = accumulate(s1, load(x + i + kLanes));
    s2 = accumulate(s2, load(x + i + 2 * kLanes));
    s3 = accumulate(s3, load(x + i + 3 * kLanes));
  }
  for (; i + kLanes <= count; i += kLanes) s0 = accumulate(s0, load(x + i));
  float sum = sum_of_lanes(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
  if (i < count) {
    // Lanes behind the row's end must not count: they would add -centre.
    const FloatVector v = load_some(x + i, count - i);
    const FloatVector d =
        hn::IfThenElseZero(hn::FirstN(Floats(), static_cast<size_t>(count - i)), hn::Sub(v, c));
    sum += sum_of_lanes(kSquare ? hn::Mul(d, d) : d);
  }
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#endif
