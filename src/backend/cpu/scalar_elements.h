// Elements of F32 or BF16 one at a time, as float: for kernels that move more than they compute. Used by the
// plain loops of this folder; vectors are simd_memory-inl.h's.
#pragma once

#include <cstdint>

#include "tensor/convert.h"

namespace snug {

inline float value_of(float value) { return value; }
inline float value_of(uint16_t bits) { return bf16_to_f32(bits); }
inline void store_value(float value, float* to) { *to = value; }
inline void store_value(float value, uint16_t* to) { *to = f32_to_bf16(value); }

}  // namespace snug
