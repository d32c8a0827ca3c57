#include "tools/random_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace snug {
namespace {

// The finaliser of SplitMix64 (Steele et al., 2014).
uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

// FNV-1a.
uint64_t hash(uint64_t state, std::string_view text) {
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return state;
}

constexpr int kBiasExponent = -6;
constexpr int kNormExponent = -1;
// F16 has no normal numbers below 2^-14.
constexpr int kLeastExponent = -14;

int product_exponent(const Shape& shape) {
  const double inputs =
      static_cast<double>(shape.elements()) / static_cast<double>(std::max<int64_t>(shape[0], 1));
  // Root mean square of ±[1, 2) at 2^0 and 2^1 in equal parts: sqrt((7/3 + 4·7/3) / 2).
  constexpr double kRootMeanSquare = 2.4152;
  const double exponent = std::floor(-std::log2(std::sqrt(std::max(inputs, 1.0)) * kRootMeanSquare));
  return std::max(static_cast<int>(exponent), kLeastExponent);
}

// Sign, exponent and mantissa of a format from as many random bits: the exponent is kept to two values.
template <typename Bits>
struct Format {
  Bits sign, mantissa;
  int mantissa_bits, exponent_bias;
};
constexpr Format<uint16_t> kF16 = {0x8000, 0x03ff, 10, 15};
constexpr Format<uint16_t> kBF16 = {0x8000, 0x007f, 7, 127};
constexpr Format<uint32_t> kF32 = {0x80000000U, 0x007fffffU, 23, 127};

template <typename Bits>
void fill(const RandomTensor& tensor, const Format<Bits>& format, uint64_t first, std::span<std::byte> out) {
  constexpr uint64_t kInWord = sizeof(uint64_t) / sizeof(Bits);
  const Bits kept = tensor.positive ? format.mantissa : static_cast<Bits>(format.sign | format.mantissa);
  const auto base = static_cast<Bits>((tensor.exponent + format.exponent_bias) << format.mantissa_bits);
  const size_t count = out.size() / sizeof(Bits);
  const auto element = [&](uint64_t word, uint64_t place) {
    const auto random = static_cast<Bits>(word >> (place * 8 * sizeof(Bits)));
    const auto step = static_cast<Bits>(random & (Bits{1} << format.mantissa_bits));
    return static_cast<Bits>((random & kept) | static_cast<Bits>(base + step));
  };
  for (size_t i = 0; i < count;) {
    const uint64_t at = first + i;
    const uint64_t word = mix(tensor.key + at / kInWord);
    const uint64_t begin = at % kInWord;
    const uint64_t end = std::min<uint64_t>(kInWord, begin + (count - i));
    for (uint64_t place = begin; place < end; ++place, ++i) {
      const Bits bits = element(word, place);
      std::memcpy(out.data() + i * sizeof(Bits), &bits, sizeof bits);
    }
  }
}

}  // namespace

RandomTensor random_tensor(uint64_t seed, std::string_view part, std::string_view name, DType dtype,
                           const Shape& shape) {
  RandomTensor tensor;
  tensor.dtype = dtype;
  tensor.key = mix(hash(hash(mix(seed), part), name));
  if (shape.rank() >= 2) {
    tensor.exponent = product_exponent(shape);
  } else if (name.ends_with(".weight")) {
    tensor.exponent = kNormExponent;
    tensor.positive = true;
  } else {
    tensor.exponent = kBiasExponent;
  }
  return tensor;
}

void fill_random(const RandomTensor& tensor, uint64_t first_element, std::span<std::byte> out) {
  SNUG_CHECK(out.size() % static_cast<size_t>(element_bytes(tensor.dtype)) == 0, "whole elements");
  switch (tensor.dtype) {
    case DType::kF16: return fill(tensor, kF16, first_element, out);
    case DType::kBF16: return fill(tensor, kBF16, first_element, out);
    case DType::kF32: return fill(tensor, kF32, first_element, out);
    default: SNUG_CHECK(false, "a floating-point type");
  }
}

}  // namespace snug
