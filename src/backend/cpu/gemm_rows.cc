#include "backend/cpu/gemm_rows.h"

#include <algorithm>

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm_rows.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/simd_math-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

template <typename T>
void begin_as(const RowCall& call) {
  const auto* residual = reinterpret_cast<const T*>(call.residual);
  const auto add = [](FloatVector a, FloatVector b) HWY_ATTR { return hn::Add(a, b); };
  if (call.bias != nullptr && residual != nullptr)
    return map(add, call.bias, residual, call.sums, call.columns);
  if (call.bias != nullptr) {
    std::copy_n(call.bias, call.columns, call.sums);
  } else if (residual != nullptr) {
    map(NoActivation(), residual, call.sums, call.columns);
  } else {
    std::fill_n(call.sums, call.columns, 0.0F);
  }
}

void begin(const RowCall& call) {
  if (call.type == DType::kF32) return begin_as<float>(call);
  begin_as<uint16_t>(call);
}

void finish(const RowCall& call) {
  with_activation(call.activation, [&](const auto& activation) HWY_ATTR {
    if (call.type == DType::kF32) {
      map(activation, call.sums, reinterpret_cast<float*>(call.output), call.columns);
    } else {
      map(activation, call.sums, reinterpret_cast<uint16_t*>(call.output), call.columns);
    }
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {
HWY_EXPORT(begin);
HWY_EXPORT(finish);
}  // namespace

void begin_row(const RowCall& call) { HWY_DYNAMIC_DISPATCH(begin)(call); }
void finish_row(const RowCall& call) {
  if (call.type == DType::kF32 && call.activation == Activation::kNone) return;
  HWY_DYNAMIC_DISPATCH(finish)(call);
}

}  // namespace snug
#endif  // HWY_ONCE
