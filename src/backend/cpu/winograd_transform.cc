// The points are 0, ±√½, ±√2 and infinity: pairs share their sums, and nearly every step is one multiply-add.
// Over 320 channels of normally distributed numbers the largest error is 1.4 to 1.9 times that of plain sums
// (1.5 to 1.9 in the mean); with the usual ±1, ±2 it would be 8 (3 to 4), with ±½, ±2 it would be 3.
#include "backend/cpu/winograd_transform.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/winograd_transform.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/simd_math-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

constexpr double kA = 0.70710678118654752, kB = 2 * kA;
constexpr double kA2 = 0.5, kB2 = 2;  // their product is 1

HWY_INLINE FloatVector constant(double value) { return splat(static_cast<float>(value)); }

// One column or row of Bᵀ d: values at the points of a polynomial whose coefficients are d.
HWY_INLINE void to_points(const FloatVector* d, int64_t step, FloatVector* to, int64_t to_step) {
  const auto a = constant(kA), b = constant(kB), a2 = constant(kA2), b2 = constant(kB2);
  const auto sum = constant(kA2 + kB2);
  const auto d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
  const auto even_a = hn::NegMulAdd(b2, d2, d4), odd_a = hn::NegMulAdd(b2, d1, d3);
  const auto even_b = hn::NegMulAdd(a2, d2, d4), odd_b = hn::NegMulAdd(a2, d1, d3);
  to[0] = hn::Add(d[0], hn::NegMulAdd(sum, d2, d4));
  to[to_step] = hn::MulAdd(a, odd_a, even_a);
  to[2 * to_step] = hn::NegMulAdd(a, odd_a, even_a);
  to[3 * to_step] = hn::MulAdd(b, odd_b, even_b);
  to[4 * to_step] = hn::NegMulAdd(b, odd_b, even_b);
  to[5 * to_step] = hn::Add(d1, hn::NegMulAdd(sum, d3, d[5 * step]));
}

// One column or row of G g.
HWY_INLINE void weights_to_points(const FloatVector* g, int64_t step, FloatVector* to, int64_t to_step) {
  constexpr double kOfA = 1 / (2 * kA2 * (kA2 - kB2)), kOfB = 1 / (2 * kB2 * (kB2 - kA2));
  const auto g0 = g[0], g1 = g[step], g2 = g[2 * step];
  const auto even_a = hn::MulAdd(constant(kOfA * kA2), g2, hn::Mul(constant(kOfA), g0));
  const auto even_b = hn::MulAdd(constant(kOfB * kB2), g2, hn::Mul(constant(kOfB), g0));
  to[0] = g0;
  to[to_step] = hn::MulAdd(constant(kOfA * kA), g1, even_a);
  to[2 * to_step] = hn::NegMulAdd(constant(kOfA * kA), g1, even_a);
  to[3 * to_step] = hn::MulAdd(constant(kOfB * kB), g1, even_b);
  to[4 * to_step] = hn::NegMulAdd(constant(kOfB * kB), g1, even_b);
  to[5 * to_step] = g2;
}

// One column or row of Aᵀ m.
HWY_INLINE void from_points(const FloatVector* m, int64_t step, FloatVector* to, int64_t to_step) {
  const auto even_a = hn::Add(m[step], m[2 * step]), odd_a = hn::Sub(m[step], m[2 * step]);
  const auto even_b = hn::Add(m[3 * step], m[4 * step]), odd_b = hn::Sub(m[3 * step], m[4 * step]);
  to[0] = hn::Add(m[0], hn::Add(even_a, even_b));
  to[to_step] = hn::MulAdd(constant(kA), odd_a, hn::Mul(constant(kB), odd_b));
  to[2 * to_step] = hn::MulAdd(constant(kA2), even_a, hn::Mul(constant(kB2), even_b));
  to[3 * to_step] = hn::MulAdd(constant(kA2 * kA), odd_a, hn::MulAdd(constant(kB2 * kB), odd_b, m[5 * step]));
}

template <typename T>
void input_as(const WinogradInputCall& call) {
  for (int64_t c = 0; c < call.channels; c += kLanes) {
    const int64_t there = call.channels - c;
    FloatVector columns[kWinogradPlaces];
#pragma GCC unroll 6
    for (int64_t x = 0; x < kWinogradInputs; ++x) {
      FloatVector d[kWinogradInputs];
#pragma GCC unroll 6
      for (int64_t y = 0; y < kWinogradInputs; ++y) {
        const T* const from = reinterpret_cast<const T*>(call.pixels[y * kWinogradInputs + x]) + c;
        d[y] = there >= kLanes ? load(from) : load_some(from, there);
      }
      to_points(d, 1, columns + x, kWinogradInputs);
    }
#pragma GCC unroll 6
    for (int64_t y = 0; y < kWinogradInputs; ++y) {
      FloatVector row[kWinogradInputs];
      to_points(columns + y * kWinogradInputs, 1, row, 1);
#pragma GCC unroll 6
      for (int64_t x = 0; x < kWinogradInputs; ++x) {
        store(row[x], call.to + (y * kWinogradInputs + x) * call.place + c);
      }
    }
  }
}

void input(const WinogradInputCall& call) {
  if (call.type == DType::kF32) return input_as<float>(call);
  input_as<uint16_t>(call);
}

void weight(const WinogradWeightCall& call) {
  const int64_t tap = call.channels * call.width;
  for (int64_t at = 0; at < tap; at += kLanes) {
    FloatVector columns[3 * kWinogradInputs];
#pragma GCC unroll 3
    for (int64_t x = 0; x < 3; ++x) {
      FloatVector g[3];
#pragma GCC unroll 3
      for (int64_t y = 0; y < 3; ++y) g[y] = load(call.panel + (3 * y + x) * tap + at);
      weights_to_points(g, 1, columns + x, 3);
    }
#pragma GCC unroll 6
    for (int64_t y = 0; y < kWinogradInputs; ++y) {
      FloatVector row[kWinogradInputs];
      weights_to_points(columns + 3 * y, 1, row, 1);
#pragma GCC unroll 6
      for (int64_t x = 0; x < kWinogradInputs; ++x) {
        store(row[x], call.to + (y * kWinogradInputs + x) * call.place + at);
      }
    }
  }
}

// The output's columns [o, o + count).
template <typename T, class Function>
HWY_INLINE void finish(const WinogradOutputCall& call, const Function& activation, int64_t o, int64_t count,
                       const FloatVector* sums) {
  const bool whole = count >= kLanes;
  const auto load_at = [&](const auto* from) HWY_ATTR { return whole ? load(from) : load_some(from, count); };
  const auto bias = call.bias == nullptr ? splat(0) : load_at(call.bias + o);
  for (int64_t i = 0; i < kWinogradOutputs * kWinogradOutputs; ++i) {
    if (call.output[i] == nullptr) continue;
    auto sum = hn::Add(sums[i], bias);
    if (call.residual != nullptr) {
      sum = hn::Add(sum, load_at(reinterpret_cast<const T*>(call.residual[i]) + o));
    }
    T* const to = reinterpret_cast<T*>(call.output[i]) + o;
    if (whole) {
      store(activation(sum), to);
    } else {
      store_some(activation(sum), to, count);
    }
  }
}

template <typename T, class Function>
void output_as(const WinogradOutputCall& call, const Function& activation) {
  for (int64_t o = 0; o < call.columns; o += kLanes) {
    FloatVector columns[kWinogradOutputs * kWinogradInputs];
#pragma GCC unroll 6
    for (int64_t x = 0; x < kWinogradInputs; ++x) {
      FloatVector m[kWinogradInputs];
#pragma GCC unroll 6
      for (int64_t y = 0; y < kWinogradInputs; ++y) {
        m[y] = load(call.from + (y * kWinogradInputs + x) * call.place + o);
      }
      from_points(m, 1, columns + x, kWinogradInputs);
    }
    FloatVector sums[kWinogradOutputs * kWinogradOutputs];
#pragma GCC unroll 4
    for (int64_t y = 0; y < kWinogradOutputs; ++y) {
      from_points(columns + y * kWinogradInputs, 1, sums + y * kWinogradOutputs, 1);
    }
    finish<T>(call, activation, o, call.columns - o, sums);
  }
}

void output(const WinogradOutputCall& call) {
  with_activation(call.activation, [&](const auto& activation) HWY_ATTR {
    if (call.type == DType::kF32) return output_as<float>(call, activation);
    output_as<uint16_t>(call, activation);
  });
}

WinogradTransforms transforms() { return {input, weight, output}; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {
HWY_EXPORT(transforms);
}  // namespace

WinogradTransforms winograd_transforms() { return HWY_DYNAMIC_DISPATCH(transforms)(); }

}  // namespace snug
#endif  // HWY_ONCE
