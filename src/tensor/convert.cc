#include "tensor/convert.h"

#include <cmath>

#include "base/check.h"

namespace snug {
namespace {

template <typename T, typename Convert>
void widen(const std::byte* source, std::span<float> out, Convert convert) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, source + i * sizeof(T), sizeof(T));
    out[i] = convert(value);
  }
}

template <typename T>
void widen(const std::byte* source, std::span<float> out) {
  widen<T>(source, out, [](T value) { return static_cast<float>(value); });
}

// OCP 8-bit floats: `exponent_bits` of exponent, the rest mantissa. E4M3 has no infinity.
float f8_to_f32(uint8_t bits, int exponent_bits, bool has_infinity) {
  const int mantissa_bits = 7 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const float sign = (bits & 0x80) != 0 ? -1.0F : 1.0F;
  const int top = (1 << exponent_bits) - 1;
  if (has_infinity && exponent == top) return mantissa == 0 ? sign * INFINITY : NAN;
  if (!has_infinity && (bits & 0x7f) == 0x7f) return NAN;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), 1 - bias - mantissa_bits);
  return sign *
         std::ldexp(static_cast<float>(mantissa + (1 << mantissa_bits)), exponent - bias - mantissa_bits);
}

}  // namespace

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fU;
  const uint32_t mantissa = bits & 0x3ffU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000U);
  const uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return sign | 0x7e00U;
  if (magnitude >= 0x477ff000U) return sign | 0x7c00U;  // rounds past 65504
  if (magnitude < 0x38800000U) {                        // subnormal: let the FPU round at 2^-24
    const float scaled = std::bit_cast<float>(magnitude) + 0.5F;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(scaled) - 0x3f000000U);
  }
  const uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
  return sign | static_cast<uint16_t>((rounded - 0x38000000U) >> 13);
}

void to_f32(DType dtype, const std::byte* source, std::span<float> out) {
  switch (dtype) {
    case DType::kF32:
      if (!out.empty()) std::memcpy(out.data(), source, out.size_bytes());
      return;
    case DType::kF16: return widen<uint16_t>(source, out, f16_to_f32);
    case DType::kBF16: return widen<uint16_t>(source, out, bf16_to_f32);
    case DType::kF64: return widen<double>(source, out);
    case DType::kI64: return widen<int64_t>(source, out);
    case DType::kI32: return widen<int32_t>(source, out);
    case DType::kI16: return widen<int16_t>(source, out);
    case DType::kI8: return widen<int8_t>(source, out);
    case DType::kU8:
    case DType::kBool: return widen<uint8_t>(source, out);
    case DType::kF8E4M3:
      return widen<uint8_t>(source, out, [](uint8_t bits) { return f8_to_f32(bits, 4, false); });
    case DType::kF8E5M2:
      return widen<uint8_t>(source, out, [](uint8_t bits) { return f8_to_f32(bits, 5, true); });
    default: SNUG_CHECK(false, "quantised types are expanded by weights/dequantise");
  }
}

void from_f32(DType dtype, std::span<const float> source, std::byte* out) {
  switch (dtype) {
    case DType::kF32:
      if (!source.empty()) std::memcpy(out, source.data(), source.size_bytes());
      return;
    case DType::kF16:
    case DType::kBF16:
      for (size_t i = 0; i < source.size(); ++i) {
        const uint16_t bits = dtype == DType::kF16 ? f32_to_f16(source[i]) : f32_to_bf16(source[i]);
        std::memcpy(out + i * 2, &bits, 2);
      }
      return;
    default: SNUG_CHECK(false, "only floating types are narrowed");
  }
}

}  // namespace snug
