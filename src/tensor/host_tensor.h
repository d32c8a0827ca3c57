// A dense tensor in host memory that owns its bytes, in logical row-major order (N C H W). It is the form
// in which small things cross folders: latents, pictures, conditioning, golden values. Arena memory is
// never a HostTensor.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace snug {

class HostTensor {
 public:
  HostTensor() = default;
  // Zero-filled. Plain dtypes only.
  HostTensor(DType dtype, Shape shape);
  static HostTensor from_floats(Shape shape, std::span<const float> values);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return shape_.elements(); }
  std::span<std::byte> bytes() { return bytes_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

  // The elements as float; only for kF32 (SNUG_CHECK).
  std::span<float> floats();
  std::span<const float> floats() const;
  // A converted copy (kF16, kBF16, kF64, kI64, kI32, kU8 → kF32).
  HostTensor to_f32() const;

 private:
  DType dtype_ = DType::kF32;
  Shape shape_;
  std::vector<std::byte> bytes_;
};

}  // namespace snug
