// The oracle: each operation as a plain function over its definition, with double accumulation and sums in a
// fixed order. The functions stand in files named as in graph/ops/; kernel_list.cc lists them by operation.
//
// They take activations and weights in F32, BF16 or F16, converted element by element, and compute all of a
// node at once, never a part. They are written to be read, not to be fast.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "backend/backend.h"
#include "tensor/convert.h"

namespace snug::reference {

// An operand read as floats.
class Elements {
 public:
  Elements(DType dtype, const std::byte* data) : dtype_(dtype), data_(data) {}
  // Operand `index` of the node; what is absent must not be read.
  Elements(const NodeSpec& node, const KernelArgs& args, int index);

  bool present() const { return data_ != nullptr; }
  float operator[](int64_t i) const {
    if (dtype_ == DType::kF32) return reinterpret_cast<const float*>(data_)[i];
    const uint16_t bits = reinterpret_cast<const uint16_t*>(data_)[i];
    return dtype_ == DType::kBF16 ? bf16_to_f32(bits) : f16_to_f32(bits);
  }

 private:
  DType dtype_;
  const std::byte* data_;
};

// The output, written as doubles that are rounded once.
class Output {
 public:
  Output(const NodeSpec& node, const KernelArgs& args) : dtype_(node.output.dtype), data_(args.output) {}
  void set(int64_t i, double value) const {
    const auto rounded = static_cast<float>(value);
    if (dtype_ == DType::kF32) {
      reinterpret_cast<float*>(data_)[i] = rounded;
    } else {
      reinterpret_cast<uint16_t*>(data_)[i] =
          dtype_ == DType::kBF16 ? f32_to_bf16(rounded) : f32_to_f16(rounded);
    }
  }

 private:
  DType dtype_;
  std::byte* data_;
};

double apply(Activation activation, double x);

// Bytes of scratch that attention needs for its rows of scores.
size_t attention_scratch_bytes(const NodeSpec& node);

void conv2d(const NodeSpec& node, const KernelArgs& args);
void linear(const NodeSpec& node, const KernelArgs& args);
void group_norm(const NodeSpec& node, const KernelArgs& args);
void group_statistics(const NodeSpec& node, const KernelArgs& args);
void group_norm_apply(const NodeSpec& node, const KernelArgs& args);
void layer_norm(const NodeSpec& node, const KernelArgs& args);
void rms_norm(const NodeSpec& node, const KernelArgs& args);
void activation(const NodeSpec& node, const KernelArgs& args);
void add(const NodeSpec& node, const KernelArgs& args);
void add_channels(const NodeSpec& node, const KernelArgs& args);
void affine(const NodeSpec& node, const KernelArgs& args);
void cast(const NodeSpec& node, const KernelArgs& args);
void concat(const NodeSpec& node, const KernelArgs& args);
void slice(const NodeSpec& node, const KernelArgs& args);
void upsample_nearest(const NodeSpec& node, const KernelArgs& args);
void embedding(const NodeSpec& node, const KernelArgs& args);
void timestep_embedding(const NodeSpec& node, const KernelArgs& args);
void attention(const NodeSpec& node, const KernelArgs& args);
void conv3d(const NodeSpec& node, const KernelArgs& args);
void modulate(const NodeSpec& node, const KernelArgs& args);
void gated_add(const NodeSpec& node, const KernelArgs& args);
void rotary(const NodeSpec& node, const KernelArgs& args);
void depth_to_space(const NodeSpec& node, const KernelArgs& args);
void space_to_depth(const NodeSpec& node, const KernelArgs& args);
void first_frame(const NodeSpec& node, const KernelArgs& args);

}  // namespace snug::reference
