// Seeded random weights that follow from their place alone: any piece of a tensor can be made at any time, by
// any number of threads, and equal seeds give equal bytes. For write_checkpoint.
//
// An element is ±m·2^e with m uniform in [1, 2) and e one of two neighbours, as bench/random_weights.h makes
// them, put together from random bits without arithmetic. The exponents follow from the tensor's shape, so
// that activations stay of the order of 1 through any depth: a product's weights have a root mean square of
// 1/2 to 1 over sqrt(inputs), a norm's lie in [0.5, 2), biases in ±[1/64, 1/16).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace snug {

struct RandomTensor {
  DType dtype = DType::kF16;  // F16, BF16 or F32
  uint64_t key = 0;           // of the tensor's numbers
  int exponent = -6;          // the smaller of the two
  bool positive = false;
};

// `name` is the tensor's, within a part whose name is `part`: equal ones have equal numbers.
RandomTensor random_tensor(uint64_t seed, std::string_view part, std::string_view name, DType dtype,
                           const Shape& shape);

// Elements first_element, first_element + 1, ... in their type. `out` is whole elements. On one thread.
void fill_random(const RandomTensor& tensor, uint64_t first_element, std::span<std::byte> out);

}  // namespace snug
