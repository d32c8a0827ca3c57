// Expands block-quantised weights to floats. The bytes of a row are whole blocks, each with its own scale;
// the layouts are those of ggml (ggml-common.h, "Quants"), the arithmetic is in float as in its reference
// dequantize_row functions, so that the values are the same.
// Called by WeightIndex::read_f32; plain element types are tensor/convert.h.
#pragma once

#include <cstddef>
#include <span>

#include "tensor/dtype.h"

namespace snug {

// `blocks` holds out.size() elements of `dtype` at any alignment; out.size() is whole blocks. Q8_0, Q4_0,
// Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K (SNUG_CHECK on others and on parts of a block).
void dequantise(DType dtype, std::span<const std::byte> blocks, std::span<float> out);

}  // namespace snug
