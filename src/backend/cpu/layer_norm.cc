// layer_norm: a row is read from memory once and stays in the nearest cache for mean, variance (two passes,
// so that a large mean costs no accuracy) and result.
#include <cmath>

#include "backend/cpu/dense_kernel.h"
#include "backend/stored_layout.h"
#include "base/parallel.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/layer_norm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/row_sum-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

#ifndef SNUG_BACKEND_CPU_LAYER_NORM_ONCE
#define SNUG_BACKEND_CPU_LAYER_NORM_ONCE
namespace snug {
namespace {

struct LayerNorm {
  DType type = DType::kF32;
  const std::byte* x = nullptr;
  const float* gamma = nullptr;  // null when absent
  const float* beta = nullptr;
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
void layer_norm_as(const LayerNorm& call, int64_t rows) {
  const int64_t channels = call.channels;
  const auto count = static_cast<float>(channels);
  for (int64_t row = 0; row < rows; ++row) {
    const T* x = reinterpret_cast<const T*>(call.x) + row * channels;
    T* out = reinterpret_cast<T*>(call.out) + row * channels;
    const float mean = row_sum<false>(x, channels, 0) / count;
    const float variance = row_sum<true>(x, channels, mean) / count;
    const FloatVector m = splat(mean), scale = splat(1 / std::sqrt(variance + call.epsilon));
    const auto normalise = [&](FloatVector v, FloatVector gamma, FloatVector beta)
                               HWY_ATTR { return hn::MulAdd(hn::Mul(hn::Sub(v, m), scale), gamma, beta); };
    const FloatVector one = splat(1), zero = splat(0);
    int64_t i = 0;
    for (; i + kLanes <= channels; i += kLanes) {
      store(normalise(load(x + i), call.gamma == nullptr ? one : load(call.gamma + i),
                      call.beta == nullptr ? zero : load(call.beta + i)),
            out + i);
    }
    if (const int64_t rest = channels - i; rest > 0) {
      store_some(
          normalise(load_some(x + i, rest), call.gamma == nullptr ? one : load_some(call.gamma + i, rest),
                    call.beta == nullptr ? zero : load_some(call.beta + i, rest)),
          out + i, rest);
    }
  }
}

void layer_norm_rows(const LayerNorm& call, int64_t rows) {
  call.type == DType::kF32 ? layer_norm_as<float>(call, rows) : layer_norm_as<uint16_t>(call, rows);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(layer_norm_rows);

class LayerNormKernel final : public DenseKernel {
 public:
  using DenseKernel::DenseKernel;
  std::string_view name() const override { return "cpu_layer_norm"; }
  Splits splits() const override { return {.pixels = true}; }
  // A row is read for its statistics first, then each vector of it before the same of the output is written.
  bool may_overwrite(int index) const override { return index == 0; }
  void run(const KernelArgs& args) const override {
    LayerNorm all;
    all.type = node_.output.dtype;
    all.gamma = reinterpret_cast<const float*>(args.inputs[1].data);
    all.beta = reinterpret_cast<const float*>(args.inputs[2].data);
    all.channels = node_.output.shape[-1];
    all.epsilon = std::get<LayerNormAttrs>(node_.attrs).epsilon;
    const int64_t bytes = element_bytes(all.type);
    for_each_run(args.part, std::max<int64_t>(1, 8192 / all.channels),
                 [&](int64_t image, int64_t begin, int64_t end) {
                   LayerNorm call = all;
                   call.x = element_at(args.inputs[0], image, begin, 0, bytes);
                   call.out = output_at(args, image, begin, 0, bytes);
                   HWY_DYNAMIC_DISPATCH(layer_norm_rows)(call, end - begin);
                 });
  }
};

// The same with scale and shift that the timestep gives: made once a run, for the first tokens and for the
// others.
class ModulateKernel final : public DenseKernel {
 public:
  explicit ModulateKernel(const NodeSpec& node)
      : DenseKernel(node), attrs_(std::get<ModulateAttrs>(node.attrs)), channels_(node.output.shape[-1]) {}
  std::string_view name() const override { return "cpu_modulate"; }
  Splits splits() const override { return {.pixels = true}; }
  bool may_overwrite(int index) const override { return index == 0; }
  size_t scratch_bytes() const override { return static_cast<size_t>(4 * channels_) * sizeof(float); }
  void run(const KernelArgs& args) const override {
    auto* const rows = reinterpret_cast<float*>(args.scratch);
    fill(args, 1, rows);
    fill(args, node_.operands[3].present ? 3 : 1, rows + 2 * channels_);
    const int64_t bytes = element_bytes(node_.output.dtype);
    for_each_run(args.part, std::max<int64_t>(1, 8192 / channels_),
                 [&](int64_t image, int64_t begin, int64_t end) {
                   while (begin < end) {
                     const bool first = begin < attrs_.first_tokens;
                     const int64_t count = (first ? std::min(end, attrs_.first_tokens) : end) - begin;
                     LayerNorm call;
                     call.type = node_.output.dtype;
                     call.gamma = rows + (first ? 2 * channels_ : 0);
                     call.beta = call.gamma + channels_;
                     call.channels = channels_;
                     call.epsilon = attrs_.epsilon;
                     call.x = element_at(args.inputs[0], image, begin, 0, bytes);
                     call.out = output_at(args, image, begin, 0, bytes);
                     HWY_DYNAMIC_DISPATCH(layer_norm_rows)(call, count);
                     begin += count;
                   }
                 });
  }

 private:
  // 1 + scale, then shift, by the time at that operand.
  void fill(const KernelArgs& args, size_t time, float* to) const {
    const auto* table = reinterpret_cast<const float*>(args.inputs[2].data);
    const auto* row = reinterpret_cast<const float*>(args.inputs[time].data);
    const int64_t stride = node_.operands[1].shape[1] == channels_ ? 0 : channels_;
    for (int64_t c = 0; c < channels_; ++c) {
      to[c] = 1 + (table[attrs_.scale * channels_ + c] + row[attrs_.scale * stride + c]);
      to[channels_ + c] = table[attrs_.shift * channels_ + c] + row[attrs_.shift * stride + c];
    }
  }

  ModulateAttrs attrs_;
  int64_t channels_;
};

}  // namespace

std::unique_ptr<Kernel> make_modulate(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  for (const size_t i : {1, 3}) {
    if (node.operands[i].present && node.operands[i].dtype != DType::kF32) {
      reason = "takes times of F32";
      return nullptr;
    }
  }
  return std::make_unique<ModulateKernel>(node);
}

std::unique_ptr<Kernel> make_layer_norm(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  for (const size_t i : {1, 2}) {
    if (node.operands[i].present && stored_dtype(node.operands[i]) != DType::kF32) {
      reason = "takes F32 scale and shift";
      return nullptr;
    }
  }
  return std::make_unique<LayerNormKernel>(node);
}

}  // namespace snug
#endif
