// Rows of F32 or BF16 elements as vectors of float, for the kernels of this folder. Compiled once for each
// instruction set: include after hwy/foreach_target.h and hwy/highway.h.
//
// BF16 elements are uint16_t; they are narrowed by rounding to nearest even, as f32_to_bf16 does.
#if defined(SNUG_BACKEND_CPU_SIMD_MEMORY_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SNUG_BACKEND_CPU_SIMD_MEMORY_INL_H
#undef SNUG_BACKEND_CPU_SIMD_MEMORY_INL_H
#else
#define SNUG_BACKEND_CPU_SIMD_MEMORY_INL_H
#endif

#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using FloatVector = hn::Vec<Floats>;
// As many 16-bit elements as a vector has floats.
using Halves = hn::Rebind<uint16_t, Floats>;

inline constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));

HWY_INLINE FloatVector splat(float value) { return hn::Set(Floats(), value); }

HWY_INLINE FloatVector load(const float* from) { return hn::LoadU(Floats(), from); }
HWY_INLINE FloatVector load(const uint16_t* from) {
  const hn::Rebind<uint32_t, Floats> words;
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(words, hn::LoadU(Halves(), from))));
}

HWY_INLINE void store(FloatVector v, float* to) { hn::StoreU(v, Floats(), to); }
HWY_INLINE void store(FloatVector v, uint16_t* to) {
  const hn::Rebind<uint32_t, Floats> words;
  const auto bits = hn::BitCast(words, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7fff)));
  const auto quiet = hn::Or(bits, hn::Set(words, 0x400000));  // rounding could turn a NaN into an infinity
  const auto result = hn::ShiftRight<16>(hn::IfThenElse(hn::RebindMask(words, hn::IsNaN(v)), quiet, rounded));
  hn::StoreU(hn::TruncateTo(Halves(), result), Halves(), to);
}

// The first `count` < kLanes elements; the other lanes are 0, and memory behind is not touched.
HWY_INLINE FloatVector load_some(const float* from, int64_t count) {
  return hn::MaskedLoad(hn::FirstN(Floats(), static_cast<size_t>(count)), Floats(), from);
}
HWY_INLINE FloatVector load_some(const uint16_t* from, int64_t count) {
  HWY_ALIGN uint16_t lanes[kLanes] = {};
  std::memcpy(lanes, from, static_cast<size_t>(count) * sizeof(uint16_t));
  return load(lanes);
}
HWY_INLINE void store_some(FloatVector v, float* to, int64_t count) {
  hn::BlendedStore(v, hn::FirstN(Floats(), static_cast<size_t>(count)), Floats(), to);
}
HWY_INLINE void store_some(FloatVector v, uint16_t* to, int64_t count) {
  HWY_ALIGN uint16_t lanes[kLanes];
  store(v, lanes);
  std::memcpy(to, lanes, static_cast<size_t>(count) * sizeof(uint16_t));
}

// Calls step(i, load_function, store_function) for vectors that cover [0, count): whole ones, then a short
// one. An element's value does not depend on which of the two it falls into.
template <class Function, typename X, typename Out>
HWY_INLINE void map(const Function& function, const X* x, Out* out, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(function(load(x + i)), out + i);
  if (i < count) store_some(function(load_some(x + i, count - i)), out + i, count - i);
}
template <class Function, typename X, typename Y, typename Out>
HWY_INLINE void map(const Function& function, const X* x, const Y* y, Out* out, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(function(load(x + i), load(y + i)), out + i);
  if (i < count) {
    store_some(function(load_some(x + i, count - i), load_some(y + i, count - i)), out + i, count - i);
  }
}

HWY_INLINE float sum_of_lanes(FloatVector v) { return hn::GetLane(hn::SumOfLanes(Floats(), v)); }

}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#endif
