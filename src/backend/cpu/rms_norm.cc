// rms_norm: a row is read from memory once and stays in the nearest cache for the sum of its squares and the
// result.
#include <cmath>

#include "backend/cpu/dense_kernel.h"
#include "backend/stored_layout.h"
#include "base/parallel.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rms_norm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/row_sum-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

#ifndef SNUG_BACKEND_CPU_RMS_NORM_ONCE
#define SNUG_BACKEND_CPU_RMS_NORM_ONCE
namespace snug {
namespace {

struct RmsNorm {
  DType type = DType::kF32;
  const std::byte* x = nullptr;
  const float* gamma = nullptr;  // null when absent
  std::byte* out = nullptr;
  int64_t channels = 0;
  float epsilon = 0;
};

}  // namespace
}  // namespace snug
#endif

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

template <typename T>
void rms_norm_as(const RmsNorm& call, int64_t rows) {
  const int64_t channels = call.channels;
  for (int64_t row = 0; row < rows; ++row) {
    const T* x = reinterpret_cast<const T*>(call.x) + row * channels;
    T* out = reinterpret_cast<T*>(call.out) + row * channels;
    const float mean = row_sum<true>(x, channels, 0) / static_cast<float>(channels);
    const FloatVector scale = splat(1 / std::sqrt(mean + call.epsilon));
    const auto scaled = [&](FloatVector v) HWY_ATTR { return hn::Mul(v, scale); };
    const auto scaled_twice = [&](FloatVector v, FloatVector gamma)
                                  HWY_ATTR { return hn::Mul(hn::Mul(v, scale), gamma); };
    if (call.gamma == nullptr) {
      map(scaled, x, out, channels);
    } else {
      map(scaled_twice, x, call.gamma, out, channels);
    }
  }
}

void rms_norm_rows(const RmsNorm& call, int64_t rows) {
  call.type == DType::kF32 ? rms_norm_as<float>(call, rows) : rms_norm_as<uint16_t>(call, rows);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(rms_norm_rows);

class RmsNormKernel final : public DenseKernel {
 public:
  using DenseKernel::DenseKernel;
  std::string_view name() const override { return "cpu_rms_norm"; }
  Splits splits() const override { return {.pixels = true}; }
  // A row is read for its squares first, then each vector of it before the same of the output is written.
  bool may_overwrite(int index) const override { return index == 0; }
  void run(const KernelArgs& args) const override {
    RmsNorm all;
    all.type = node_.output.dtype;
    all.gamma = reinterpret_cast<const float*>(args.inputs[1].data);
    const Shape stored = stored_shape(node_.output.shape);
    all.channels = stored[-1];
    all.epsilon = std::get<RmsNormAttrs>(node_.attrs).epsilon;
    const int64_t bytes = element_bytes(all.type);
    for_each_run(args.part, std::max<int64_t>(1, 8192 / all.channels),
                 [&](int64_t image, int64_t begin, int64_t end) {
                   RmsNorm call = all;
                   call.x = element_at(args.inputs[0], image, begin, 0, bytes);
                   call.out = output_at(args, image, begin, 0, bytes);
                   HWY_DYNAMIC_DISPATCH(rms_norm_rows)(call, end - begin);
                 });
  }
};

}  // namespace

std::unique_ptr<Kernel> make_rms_norm(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  if (node.operands[1].present && stored_dtype(node.operands[1]) != DType::kF32) {
    reason = "takes an F32 scale";
    return nullptr;
  }
  return std::make_unique<RmsNormKernel>(node);
}

}  // namespace snug
#endif
