// Elementary functions and activations on vectors of float. Compiled once for each instruction set: include
// after hwy/foreach_target.h and hwy/highway.h.
//
// Errors of the activations, relative to max(1, |value|), as simd_math_test.cc measures them: below 3e-7.
// They keep NaN; exp and reciprocal need not.
#if defined(SNUG_BACKEND_CPU_SIMD_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SNUG_BACKEND_CPU_SIMD_MATH_INL_H
#undef SNUG_BACKEND_CPU_SIMD_MATH_INL_H
#else
#define SNUG_BACKEND_CPU_SIMD_MATH_INL_H
#endif

#include <hwy/highway.h>

#include "backend/cpu/simd_memory-inl.h"
#include "graph/op.h"

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {

// exp(x) = scale (1 + fraction), where scale is a power of two and |fraction| < 0.42: kept apart, exp(x) - 1
// loses nothing near 0. x is clamped to where scale is a normal number.
struct ExpParts {
  FloatVector scale, fraction;
};

HWY_INLINE ExpParts exp_parts(FloatVector x) {
  x = hn::Max(splat(-87.3F), hn::Min(splat(88.3F), x));
  const hn::Rebind<int32_t, Floats> integers;
  // Adding 1.5 · 2^23 rounds x / ln 2 to a whole number n, and leaves n in the sum's lowest bits.
  const FloatVector shifted = hn::MulAdd(x, splat(1.44269504F), splat(12582912.0F));
  const FloatVector n_float = hn::Sub(shifted, splat(12582912.0F));
  // ln 2 in two parts; the first has few enough bits for n_float times it to be exact.
  FloatVector r = hn::NegMulAdd(n_float, splat(0.693359375F), x);
  r = hn::NegMulAdd(n_float, splat(-2.12194440e-4F), r);
  // Taylor to the 7th order: 5e-9 at |r| = ln(2) / 2.
  FloatVector p = splat(1.0F / 5040);
  p = hn::MulAdd(p, r, splat(1.0F / 720));
  p = hn::MulAdd(p, r, splat(1.0F / 120));
  p = hn::MulAdd(p, r, splat(1.0F / 24));
  p = hn::MulAdd(p, r, splat(1.0F / 6));
  p = hn::MulAdd(p, r, splat(0.5F));
  const FloatVector fraction = hn::MulAdd(hn::Mul(p, r), r, r);
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::BitCast(integers, shifted), hn::Set(integers, 127)));
  return {hn::BitCast(Floats(), exponent), fraction};
}

HWY_INLINE FloatVector exp(FloatVector x) {
  const ExpParts e = exp_parts(x);
  return hn::MulAdd(e.scale, e.fraction, e.scale);
}

// 2^x within 2.5e-7 of itself where that is a normal number, for attention's weights: fewer instructions than
// exp. Exactly 0 below -150 and for -infinity, infinity above 129. Keeps NaN.
//
// Of several at a time, step by step: one after the other, the processor's queue would be full of steps that
// wait for the one before them.
template <int kCount>
HWY_INLINE void exp2(FloatVector* x) {
  FloatVector n[kCount], r[kCount], p[kCount];
  const auto each = [](const auto& step) HWY_ATTR {
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) step(i);
  };
#if HWY_TARGET <= HWY_AVX3
  each([&](int i) HWY_ATTR { n[i] = hn::Round(x[i]); });
  each([&](int i) HWY_ATTR { r[i] = hn::Sub(x[i], n[i]); });
#else
  // x86 keeps a NaN that is the second operand; Highway's single elements lose it.
  each([&](int i) HWY_ATTR {
    const FloatVector clamped = hn::Max(splat(-127.0F), hn::Min(splat(128.0F), x[i]));
    x[i] = HWY_TARGET == HWY_AVX2 ? clamped : hn::IfThenElse(hn::IsNaN(x[i]), x[i], clamped);
  });
  // Adding 1.5 · 2^23 rounds to a whole number; 127 more, and its lowest bits are 2^n's exponent.
  each([&](int i) HWY_ATTR { n[i] = hn::Add(x[i], splat(12582912.0F + 127)); });
  each([&](int i) HWY_ATTR { r[i] = hn::Sub(n[i], splat(12582912.0F + 127)); });
  each([&](int i) HWY_ATTR { r[i] = hn::Sub(x[i], r[i]); });
#endif
  // Minimax for |r| <= 1/2, by Remez's exchange: 7.5e-8.
  each([&](int i) HWY_ATTR { p[i] = hn::MulAdd(splat(1.32764725e-3F), r[i], splat(9.67554096e-3F)); });
  each([&](int i) HWY_ATTR { p[i] = hn::MulAdd(p[i], r[i], splat(5.55071309e-2F)); });
  each([&](int i) HWY_ATTR { p[i] = hn::MulAdd(p[i], r[i], splat(0.240221202F)); });
  each([&](int i) HWY_ATTR { p[i] = hn::MulAdd(p[i], r[i], splat(0.693146944F)); });
  each([&](int i) HWY_ATTR { p[i] = hn::MulAdd(p[i], r[i], splat(1.00000012F)); });
  each([&](int i) HWY_ATTR {
#if HWY_TARGET <= HWY_AVX3
    x[i] = FloatVector{_mm512_maskz_scalef_ps(0xffff, p[i].raw, n[i].raw)};
#else
    const hn::Rebind<int32_t, Floats> integers;
    x[i] = hn::Mul(p[i], hn::BitCast(Floats(), hn::ShiftLeft<23>(hn::BitCast(integers, n[i]))));
#endif
  });
}
HWY_INLINE FloatVector exp2(FloatVector x) {
  exp2<1>(&x);
  return x;
}

// 1 / x for x of 1 or more, within 2e-7. A step of Newton's method on the processor's estimate of 12 bits or
// more is several times faster than a division.
HWY_INLINE FloatVector reciprocal(FloatVector x) {
  const FloatVector r = hn::ApproximateReciprocal(x);
  return hn::Mul(r, hn::NegMulAdd(x, r, splat(2)));
}

// x times the logistic function of y.
HWY_INLINE FloatVector times_sigmoid(FloatVector x, FloatVector y) {
  return hn::Mul(x, reciprocal(hn::Add(splat(1), exp(hn::Neg(y)))));
}

// max(x, 0).
HWY_INLINE FloatVector relu(FloatVector x) { return hn::IfThenZeroElse(hn::Lt(x, splat(0)), x); }

// tanh |x| = (e - 1) / (e + 1) with e = exp(2 |x|).
HWY_INLINE FloatVector tanh(FloatVector x) {
  const FloatVector a = hn::Min(splat(10), hn::Abs(x));
  const ExpParts e = exp_parts(hn::Add(a, a));
  const FloatVector less_one = hn::MulAdd(e.scale, e.fraction, hn::Sub(e.scale, splat(1)));
  const FloatVector result = hn::CopySign(hn::Div(less_one, hn::Add(less_one, splat(2))), x);
  return hn::IfThenElse(hn::IsNaN(x), x, result);
}

// x Φ(x) = max(x, 0) - |x|/2 erfc(|x|/√2). erfc by Abramowitz and Stegun 7.1.26, within 1.5e-7: a product
// with exp(-z²), so that negative x, where the result is all tail, keeps its relative accuracy.
HWY_INLINE FloatVector gelu(FloatVector x) {
  const FloatVector a = hn::Min(splat(14), hn::Abs(x));
  const FloatVector z = hn::Mul(a, splat(0.70710678F));
  const FloatVector t = reciprocal(hn::MulAdd(splat(0.3275911F), z, splat(1)));
  FloatVector p = splat(1.061405429F);
  p = hn::MulAdd(p, t, splat(-1.453152027F));
  p = hn::MulAdd(p, t, splat(1.421413741F));
  p = hn::MulAdd(p, t, splat(-0.284496736F));
  p = hn::MulAdd(p, t, splat(0.254829592F));
  const FloatVector erfc = hn::Mul(hn::Mul(p, t), exp(hn::Neg(hn::Mul(z, z))));
  return hn::NegMulAdd(hn::Mul(a, splat(0.5F)), erfc, relu(x));
}

// With 1 + tanh(u) = 2 sigmoid(2u).
HWY_INLINE FloatVector gelu_tanh(FloatVector x) {
  const FloatVector cubic = hn::MulAdd(hn::Mul(hn::Mul(x, x), x), splat(0.044715F), x);
  return times_sigmoid(x, hn::Mul(cubic, splat(1.59576912F)));  // 2 √(2/π)
}

struct NoActivation {
  HWY_INLINE FloatVector operator()(FloatVector x) const { return x; }
};
struct Silu {
  HWY_INLINE FloatVector operator()(FloatVector x) const { return times_sigmoid(x, x); }
};
struct Gelu {
  HWY_INLINE FloatVector operator()(FloatVector x) const { return gelu(x); }
};
struct GeluTanh {
  HWY_INLINE FloatVector operator()(FloatVector x) const { return gelu_tanh(x); }
};
struct QuickGelu {
  HWY_INLINE FloatVector operator()(FloatVector x) const {
    return times_sigmoid(x, hn::Mul(splat(1.702F), x));
  }
};
struct Relu {
  HWY_INLINE FloatVector operator()(FloatVector x) const { return relu(x); }
};
struct Tanh {
  HWY_INLINE FloatVector operator()(FloatVector x) const { return tanh(x); }
};

// Calls body with the function object for the activation, once, so that the choice stands outside the loops.
template <class Body>
HWY_INLINE void with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::kNone: return body(NoActivation());
    case Activation::kSilu: return body(Silu());
    case Activation::kGelu: return body(Gelu());
    case Activation::kGeluTanh: return body(GeluTanh());
    case Activation::kQuickGelu: return body(QuickGelu());
    case Activation::kRelu: return body(Relu());
    case Activation::kTanh: return body(Tanh());
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#endif
