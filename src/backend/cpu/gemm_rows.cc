#include "backend/cpu/gemm_rows.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/gemm_tile.h"

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

template <typename T>
void finish_as(const RowCall& call) {
  auto* const output = reinterpret_cast<T*>(call.output);
  with_activation(call.activation, [&](const auto& activation) HWY_ATTR {
    if (call.gate == nullptr) return map(activation, call.sums, output, call.columns);
    const auto pass = [&](FloatVector value, FloatVector gate)
                          HWY_ATTR { return hn::Mul(value, activation(gate)); };
    map(pass, call.sums, call.gate, output, call.columns);
  });
}

void finish(const RowCall& call) {
  if (call.type == DType::kF32) return finish_as<float>(call);
  finish_as<uint16_t>(call);
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
  if (call.type == DType::kF32 && call.activation == Activation::kNone && call.gate == nullptr) return;
  HWY_DYNAMIC_DISPATCH(finish)(call);
}

void copy_rows(int rows, int64_t taps, int64_t bytes, const std::byte** a, std::byte* room) {
  for (int64_t tap = 0; tap < taps; ++tap, a += kMostTileRows) {
    for (int r = 0; r < rows; ++r, room += bytes) {
      std::memcpy(room, a[r], static_cast<size_t>(bytes));
      a[r] = room;
    }
  }
}

}  // namespace snug
#endif  // HWY_ONCE
