#include "weights/dequantise.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "tensor/convert.h"

namespace snug {
namespace {

// The bytes of one block.
class Block {
 public:
  explicit Block(const std::byte* bytes) : bytes_(bytes) {}
  int u8(size_t i) const { return std::to_integer<int>(bytes_[i]); }
  int i8(size_t i) const { return static_cast<int8_t>(u8(i)); }
  int low(size_t i) const { return u8(i) & 15; }
  int high(size_t i) const { return u8(i) >> 4; }
  uint32_t word(size_t i) const {
    return static_cast<uint32_t>(u8(i) | u8(i + 1) << 8 | u8(i + 2) << 16) | static_cast<uint32_t>(u8(i + 3))
                                                                                 << 24;
  }
  float half(size_t i) const { return f16_to_f32(static_cast<uint16_t>(u8(i) | u8(i + 1) << 8)); }

 private:
  const std::byte* bytes_;
};

constexpr size_t kSmall = 32;  // elements of the plain quantised blocks

// Scale, then 32 signed bytes.
void expand_q8_0(Block block, float* out) {
  const float scale = block.half(0);
  for (size_t i = 0; i < kSmall; ++i) out[i] = static_cast<float>(block.i8(2 + i)) * scale;
}

// Scale, then 16 bytes: element i in the low half of byte i, element i + 16 in its high half.
void expand_q4_0(Block block, float* out) {
  const float scale = block.half(0);
  for (size_t i = 0; i < kSmall / 2; ++i) {
    out[i] = static_cast<float>(block.low(2 + i) - 8) * scale;
    out[i + 16] = static_cast<float>(block.high(2 + i) - 8) * scale;
  }
}

// As Q4_0, with a minimum in place of the fixed offset.
void expand_q4_1(Block block, float* out) {
  const float scale = block.half(0);
  const float minimum = block.half(2);
  for (size_t i = 0; i < kSmall / 2; ++i) {
    out[i] = static_cast<float>(block.low(4 + i)) * scale + minimum;
    out[i + 16] = static_cast<float>(block.high(4 + i)) * scale + minimum;
  }
}

// Fifth bits: bit i of a 32-bit word is element i's.
int fifth_bit(uint32_t word, size_t i) { return static_cast<int>(word >> i & 1U) << 4; }

// Scale, fifth bits, then 16 bytes as Q4_0.
void expand_q5_0(Block block, float* out) {
  const float scale = block.half(0);
  const uint32_t fifth = block.word(2);
  for (size_t i = 0; i < kSmall / 2; ++i) {
    out[i] = static_cast<float>((block.low(6 + i) | fifth_bit(fifth, i)) - 16) * scale;
    out[i + 16] = static_cast<float>((block.high(6 + i) | fifth_bit(fifth, i + 16)) - 16) * scale;
  }
}

// As Q5_0, with a minimum in place of the fixed offset.
void expand_q5_1(Block block, float* out) {
  const float scale = block.half(0);
  const float minimum = block.half(2);
  const uint32_t fifth = block.word(4);
  for (size_t i = 0; i < kSmall / 2; ++i) {
    out[i] = static_cast<float>(block.low(8 + i) | fifth_bit(fifth, i)) * scale + minimum;
    out[i + 16] = static_cast<float>(block.high(8 + i) | fifth_bit(fifth, i + 16)) * scale + minimum;
  }
}

// 16 bytes of 4-bit scale and minimum, 64 bytes of 2-bit values, scale of scales, scale of minimums.
// Values: two halves of 128; in a half, bit pair g of byte i is element 32 g + i. A group is 16 elements.
void expand_q2_k(Block block, float* out) {
  const float scale = block.half(80);
  const float minimum = block.half(82);
  for (size_t group = 0; group < 16; ++group) {
    const float group_scale = scale * static_cast<float>(block.low(group));
    const float group_minimum = minimum * static_cast<float>(block.high(group));
    const size_t first_byte = 16 + group / 8 * 32 + group % 2 * 16;
    const size_t shift = group % 8 / 2 * 2;
    for (size_t i = 0; i < 16; ++i) {
      const int value = block.u8(first_byte + i) >> shift & 3;
      out[group * 16 + i] = group_scale * static_cast<float>(value) - group_minimum;
    }
  }
}

// 32 bytes of third bits (bit 32-group of byte i), 64 bytes of 2-bit values as Q2_K, 16 scales of six bits
// (low four in 8 bytes, high two in 4 bytes) offset by 32, scale of scales.
void expand_q3_k(Block block, float* out) {
  const float scale = block.half(108);
  for (size_t group = 0; group < 16; ++group) {
    const int low = group < 8 ? block.low(96 + group) : block.high(96 + group - 8);
    const int high = block.u8(104 + group % 4) >> (group / 4 * 2) & 3;
    const float group_scale = scale * static_cast<float>((low | high << 4) - 32);
    const size_t first_byte = 32 + group / 8 * 32 + group % 2 * 16;
    const size_t shift = group % 8 / 2 * 2;
    for (size_t i = 0; i < 16; ++i) {
      const int third_bit = block.u8(group % 2 * 16 + i) >> (group / 2) & 1;
      const int value = (block.u8(first_byte + i) >> shift & 3) - (third_bit != 0 ? 0 : 4);
      out[group * 16 + i] = group_scale * static_cast<float>(value);
    }
  }
}

struct ScaleAndMinimum {
  int scale, minimum;
};

// The eight 6-bit pairs of Q4_K and Q5_K in 12 bytes: the first four whole in bytes 0-3 and 4-7, the others
// with their low four bits in bytes 8-11 and their high two in the top of the first eight.
ScaleAndMinimum packed_pair(Block block, size_t group) {
  constexpr size_t kAt = 4;
  if (group < 4) return {block.u8(kAt + group) & 63, block.u8(kAt + group + 4) & 63};
  return {block.low(kAt + group + 4) | block.u8(kAt + group - 4) >> 6 << 4,
          block.high(kAt + group + 4) | block.u8(kAt + group) >> 6 << 4};
}

// Scale of scales, scale of minimums, eight 6-bit pairs, 128 bytes. Groups of 32 elements; groups 2k and
// 2k + 1 are the low and high halves of the same 32 bytes. Q5_K puts 32 bytes of fifth bits between, bit
// `group` of byte i.
template <bool kFiveBits>
void expand_q45_k(Block block, float* out) {
  const float scale = block.half(0);
  const float minimum = block.half(2);
  constexpr size_t kFifthBits = 16;
  constexpr size_t kValues = kFiveBits ? 48 : 16;
  for (size_t group = 0; group < 8; ++group) {
    const ScaleAndMinimum pair = packed_pair(block, group);
    const float group_scale = scale * static_cast<float>(pair.scale);
    const float group_minimum = minimum * static_cast<float>(pair.minimum);
    for (size_t i = 0; i < 32; ++i) {
      const size_t at = kValues + group / 2 * 32 + i;
      int value = group % 2 == 0 ? block.low(at) : block.high(at);
      if (kFiveBits) value |= (block.u8(kFifthBits + i) >> group & 1) << 4;
      out[group * 32 + i] = group_scale * static_cast<float>(value) - group_minimum;
    }
  }
}

// 128 bytes of low halves, 64 bytes of high bit pairs, 16 signed scales, scale of scales. Two halves of
// 128 elements, each of four quarters of 32: quarters 0 and 1 in the low halves of 64 bytes, 2 and 3 in
// their high halves; bit pair q of the half's 32 high bytes belongs to quarter q.
void expand_q6_k(Block block, float* out) {
  const float scale = block.half(208);
  for (size_t group = 0; group < 16; ++group) {
    const size_t half = group / 8;
    const size_t quarter = group % 8 / 2;
    const float group_scale = scale * static_cast<float>(block.i8(192 + group));
    for (size_t i = 0; i < 16; ++i) {
      const size_t within = group % 2 * 16 + i;
      const size_t at = half * 64 + quarter % 2 * 32 + within;
      const int low = quarter < 2 ? block.low(at) : block.high(at);
      const int high = block.u8(128 + half * 32 + within) >> (quarter * 2) & 3;
      out[group * 16 + i] = group_scale * static_cast<float>((low | high << 4) - 32);
    }
  }
}

using Expand = void (*)(Block, float*);

Expand expansion_of(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0: return expand_q8_0;
    case DType::kQ4_0: return expand_q4_0;
    case DType::kQ4_1: return expand_q4_1;
    case DType::kQ5_0: return expand_q5_0;
    case DType::kQ5_1: return expand_q5_1;
    case DType::kQ2_K: return expand_q2_k;
    case DType::kQ3_K: return expand_q3_k;
    case DType::kQ4_K: return expand_q45_k<false>;
    case DType::kQ5_K: return expand_q45_k<true>;
    case DType::kQ6_K: return expand_q6_k;
    default: SNUG_CHECK(false, "a block-quantised type");
  }
}

}  // namespace

void dequantise(DType dtype, std::span<const std::byte> blocks, std::span<float> out) {
  const Expand expand = expansion_of(dtype);
  const DTypeInfo& info = dtype_info(dtype);
  const auto block_elements = static_cast<size_t>(info.block_elements);
  const auto block_bytes = static_cast<size_t>(info.block_bytes);
  const size_t count = out.size() / block_elements;
  SNUG_CHECK(out.size() % block_elements == 0 && blocks.size() == count * block_bytes, "whole blocks");
  for (size_t i = 0; i < count; ++i)
    expand(Block(blocks.data() + i * block_bytes), out.data() + i * block_elements);
}

}  // namespace snug
