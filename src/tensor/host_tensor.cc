#include "tensor/host_tensor.h"

#include <cstring>

#include "base/check.h"
#include "tensor/convert.h"

namespace snug {

HostTensor::HostTensor(DType dtype, Shape shape)
    : dtype_(dtype), shape_(shape), bytes_(static_cast<size_t>(bytes_of(dtype, shape.elements()))) {
  SNUG_CHECK(!is_quantised(dtype), "host tensors have plain elements");
}

HostTensor HostTensor::from_floats(Shape shape, std::span<const float> values) {
  HostTensor tensor(DType::kF32, shape);
  SNUG_CHECK(static_cast<int64_t>(values.size()) == tensor.elements(), "as many values as the shape has");
  if (!values.empty()) std::memcpy(tensor.bytes_.data(), values.data(), values.size_bytes());
  return tensor;
}

std::span<float> HostTensor::floats() {
  SNUG_CHECK(dtype_ == DType::kF32, "the tensor is F32");
  return {reinterpret_cast<float*>(bytes_.data()), static_cast<size_t>(elements())};
}

std::span<const float> HostTensor::floats() const {
  SNUG_CHECK(dtype_ == DType::kF32, "the tensor is F32");
  return {reinterpret_cast<const float*>(bytes_.data()), static_cast<size_t>(elements())};
}

HostTensor HostTensor::to_f32() const {
  HostTensor out(DType::kF32, shape_);
  snug::to_f32(dtype_, bytes_.data(), out.floats());
  return out;
}

}  // namespace snug
