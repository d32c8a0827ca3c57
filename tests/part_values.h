// Weights and inputs of one model part, as tests/interpret.h takes them.
#pragma once

#include <algorithm>
#include <cstring>

#include "graph/graph.h"
#include "tests/interpret.h"
#include "weights/weight_index.h"

namespace snug::testing {

// Every weight of a graph, read through the product's own index.
inline Tensors weights_of(const Graph& graph, const WeightIndex& index) {
  Tensors weights;
  for (const Value& value : graph.values()) {
    if (value.kind != ValueKind::kWeight || weights.count(value.name) > 0) continue;
    HostTensor tensor(DType::kF32, index.entry(value.name).shape);  // also where the graph has part of it
    index.read_f32(value.name, 0, tensor.floats());
    weights.emplace(value.name, std::move(tensor));
  }
  return weights;
}

// PyTorch's 64-bit ids as the graph takes them.
inline HostTensor as_ids(const HostTensor& tensor) {
  const HostTensor floats = tensor.to_f32();
  HostTensor ids(DType::kI32, tensor.shape());
  for (size_t i = 0; i < floats.floats().size(); ++i) {
    const auto id = static_cast<int32_t>(floats.floats()[i]);
    std::memcpy(ids.bytes().data() + i * sizeof id, &id, sizeof id);
  }
  return ids;
}

// `count` channels of axis 1, from `begin`.
inline HostTensor channels_of(const HostTensor& x, int64_t begin, int64_t count) {
  const Shape& shape = x.shape();
  HostTensor part(DType::kF32, {shape[0], count, shape[2], shape[3]});
  const int64_t pixels = shape[2] * shape[3];
  for (int64_t n = 0; n < shape[0]; ++n) {
    const auto from = x.floats().subspan(static_cast<size_t>((n * shape[1] + begin) * pixels));
    std::copy_n(from.begin(), count * pixels, part.floats().begin() + n * count * pixels);
  }
  return part;
}

// A picture [H,W,3] of 0..1 as the encoder takes it: [1,3,H,W] of -1..1.
inline HostTensor encoder_image(const HostTensor& picture) {
  const Shape& shape = picture.shape();
  const int64_t pixels = shape[0] * shape[1];
  HostTensor image(DType::kF32, {1, 3, shape[0], shape[1]});
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < 3; ++c) {
      image.floats()[static_cast<size_t>(c * pixels + p)] =
          2 * picture.floats()[static_cast<size_t>(p * 3 + c)] - 1;
    }
  }
  return image;
}

}  // namespace snug::testing
