// Exact widening and round-to-nearest-even narrowing between element types.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "tensor/dtype.h"

namespace snug {

float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);

inline float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
// Round to nearest even; NaN stays NaN.
inline uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

// Plain types to float: F32, F16, BF16, F64, I64, I32, I16, I8, U8, BOOL, F8_E4M3, F8_E5M2. `source` holds
// out.size() elements, at any alignment.
void to_f32(DType dtype, const std::byte* source, std::span<float> out);
// Float to F32, F16, BF16 (SNUG_CHECK on others).
void from_f32(DType dtype, std::span<const float> source, std::byte* out);

}  // namespace snug
