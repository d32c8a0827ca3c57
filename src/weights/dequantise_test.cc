// Each format against hand-computed blocks, and against a second implementation that walks the bytes in
// the order in which the format's own documentation describes them (running pointers, shifts and masks),
// where dequantise.cc computes each element's place.
#include "weights/dequantise.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "tensor/convert.h"

namespace snug {
namespace {

using Bytes = std::vector<uint8_t>;

std::vector<float> expand(DType dtype, const Bytes& bytes) {
  const DTypeInfo& info = dtype_info(dtype);
  std::vector<float> out(bytes.size() / static_cast<size_t>(info.block_bytes) *
                         static_cast<size_t>(info.block_elements));
  dequantise(dtype, std::as_bytes(std::span(bytes)), out);
  return out;
}

float half_at(const uint8_t* bytes) { return f16_to_f32(static_cast<uint16_t>(bytes[0] | bytes[1] << 8)); }

void put_half(Bytes& bytes, size_t at, float value) {
  const uint16_t bits = f32_to_f16(value);
  bytes[at] = static_cast<uint8_t>(bits);
  bytes[at + 1] = static_cast<uint8_t>(bits >> 8);
}

std::vector<float> slow_small(DType dtype, const uint8_t* b) {
  std::vector<float> y(32);
  const float d = half_at(b);
  if (dtype == DType::kQ8_0) {
    for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(static_cast<int8_t>(b[2 + i]));
    return y;
  }
  const bool has_minimum = dtype == DType::kQ4_1 || dtype == DType::kQ5_1;
  const bool has_fifth = dtype == DType::kQ5_0 || dtype == DType::kQ5_1;
  const uint8_t* p = b + 2;
  float m = 0;
  if (has_minimum) {
    m = half_at(p);
    p += 2;
  }
  uint32_t fifth = 0;
  if (has_fifth) {
    std::memcpy(&fifth, p, 4);
    p += 4;
  }
  for (int i = 0; i < 32; ++i) {
    int q = i < 16 ? p[i] & 15 : p[i - 16] >> 4;
    if (has_fifth) q += (fifth >> i & 1U) != 0 ? 16 : 0;
    if (!has_minimum) q -= has_fifth ? 16 : 8;
    y[i] = d * static_cast<float>(q) + m;
  }
  return y;
}

std::vector<float> slow_q2_k(const uint8_t* b) {
  std::vector<float> y;
  const uint8_t* scales = b;
  const uint8_t* q = b + 16;
  const float d = half_at(b + 80);
  const float m = half_at(b + 82);
  for (int half = 0; half < 2; ++half, q += 32) {
    for (int shift = 0; shift < 8; shift += 2) {
      for (int i = 0; i < 32; ++i) {
        const uint8_t sc = scales[i / 16];
        y.push_back(d * static_cast<float>(sc & 15) * static_cast<float>(q[i] >> shift & 3) -
                    m * static_cast<float>(sc >> 4));
      }
      scales += 2;
    }
  }
  return y;
}

std::vector<float> slow_q3_k(const uint8_t* b) {
  std::vector<float> y;
  const uint8_t* q = b + 32;
  const uint8_t* packed = b + 96;
  const float d = half_at(b + 108);
  int scales[16];
  for (int i = 0; i < 4; ++i) {
    scales[i] = (packed[i] & 15) | (packed[8 + i] & 3) << 4;
    scales[4 + i] = (packed[4 + i] & 15) | (packed[8 + i] >> 2 & 3) << 4;
    scales[8 + i] = packed[i] >> 4 | (packed[8 + i] >> 4 & 3) << 4;
    scales[12 + i] = packed[4 + i] >> 4 | (packed[8 + i] >> 6) << 4;
  }
  const int* scale = scales;
  int mask = 1;
  for (int half = 0; half < 2; ++half, q += 32) {
    for (int shift = 0; shift < 8; shift += 2, mask <<= 1) {
      for (int i = 0; i < 32; ++i) {
        const int value = (q[i] >> shift & 3) - ((b[i] & mask) != 0 ? 0 : 4);
        y.push_back(d * static_cast<float>(scale[i / 16] - 32) * static_cast<float>(value));
      }
      scale += 2;
    }
  }
  return y;
}

// Q4_K and Q5_K.
std::vector<float> slow_q45_k(const uint8_t* b, bool five) {
  std::vector<float> y;
  const float d = half_at(b);
  const float m = half_at(b + 2);
  const uint8_t* s = b + 4;
  int scale[8];
  int minimum[8];
  for (int j = 0; j < 4; ++j) {
    scale[j] = s[j] & 63;
    minimum[j] = s[j + 4] & 63;
    scale[j + 4] = (s[j + 8] & 15) + (s[j] >> 6) * 16;
    minimum[j + 4] = (s[j + 8] >> 4) + (s[j + 4] >> 6) * 16;
  }
  const uint8_t* fifth = b + 16;
  const uint8_t* q = five ? b + 48 : b + 16;
  for (int pair = 0; pair < 4; ++pair, q += 32) {
    for (int part = 0; part < 2; ++part) {
      const int g = 2 * pair + part;
      for (int i = 0; i < 32; ++i) {
        int value = part == 0 ? q[i] & 15 : q[i] >> 4;
        if (five && (fifth[i] & 1 << g) != 0) value += 16;
        y.push_back(d * static_cast<float>(scale[g]) * static_cast<float>(value) -
                    m * static_cast<float>(minimum[g]));
      }
    }
  }
  return y;
}

std::vector<float> slow_q6_k(const uint8_t* b) {
  std::vector<float> y(256);
  const uint8_t* ql = b;
  const uint8_t* qh = b + 128;
  const uint8_t* sc = b + 192;
  const float d = half_at(b + 208);
  float* out = y.data();
  for (int half = 0; half < 2; ++half, ql += 64, qh += 32, sc += 8, out += 128) {
    for (int i = 0; i < 32; ++i) {
      const int q1 = ((ql[i] & 15) | (qh[i] & 3) << 4) - 32;
      const int q2 = ((ql[i + 32] & 15) | (qh[i] >> 2 & 3) << 4) - 32;
      const int q3 = (ql[i] >> 4 | (qh[i] >> 4 & 3) << 4) - 32;
      const int q4 = (ql[i + 32] >> 4 | (qh[i] >> 6 & 3) << 4) - 32;
      const auto scale = [&](int g) { return d * static_cast<float>(static_cast<int8_t>(sc[i / 16 + g])); };
      out[i] = scale(0) * static_cast<float>(q1);
      out[i + 32] = scale(2) * static_cast<float>(q2);
      out[i + 64] = scale(4) * static_cast<float>(q3);
      out[i + 96] = scale(6) * static_cast<float>(q4);
    }
  }
  return y;
}

std::vector<float> slow(DType dtype, const uint8_t* block) {
  switch (dtype) {
    case DType::kQ2_K: return slow_q2_k(block);
    case DType::kQ3_K: return slow_q3_k(block);
    case DType::kQ4_K: return slow_q45_k(block, false);
    case DType::kQ5_K: return slow_q45_k(block, true);
    case DType::kQ6_K: return slow_q6_k(block);
    default: return slow_small(dtype, block);
  }
}

// Where each format keeps its halves, so that random blocks have finite scales.
std::vector<size_t> halves_of(DType dtype) {
  switch (dtype) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K: return {0, 2};
    case DType::kQ2_K: return {80, 82};
    case DType::kQ3_K: return {108};
    case DType::kQ6_K: return {208};
    default: return {0};
  }
}

class EveryQuantisedType : public ::testing::TestWithParam<DType> {};

TEST_P(EveryQuantisedType, RandomBlocksExpandAsTheSecondImplementationSays) {
  const DType dtype = GetParam();
  const DTypeInfo& info = dtype_info(dtype);
  constexpr size_t kBlocks = 200;
  const auto block_bytes = static_cast<size_t>(info.block_bytes);
  const auto block_elements = static_cast<size_t>(info.block_elements);
  std::mt19937 random(7);
  Bytes bytes(kBlocks * block_bytes);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  for (size_t i = 0; i < kBlocks; ++i) {
    for (const size_t at : halves_of(dtype)) {
      put_half(bytes, i * block_bytes + at, static_cast<float>(random() % 2000) / 1000.0F - 1.0F);
    }
  }
  const std::vector<float> actual = expand(dtype, bytes);
  ASSERT_EQ(actual.size(), kBlocks * block_elements);
  for (size_t i = 0; i < kBlocks; ++i) {
    const std::vector<float> expected = slow(dtype, bytes.data() + i * block_bytes);
    for (size_t j = 0; j < block_elements; ++j) {
      ASSERT_EQ(actual[i * block_elements + j], expected[j])
          << info.name << " block " << i << " element " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dequantise, EveryQuantisedType,
                         ::testing::Values(DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
                                           DType::kQ5_1, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                                           DType::kQ5_K, DType::kQ6_K),
                         [](const auto& param) { return std::string(dtype_info(param.param).name); });

TEST(DequantiseTest, HandComputedSmallBlocks) {
  Bytes q8(34);
  put_half(q8, 0, 0.5F);
  q8[2] = 0xff;   // -1
  q8[33] = 0x7f;  // 127
  EXPECT_EQ(expand(DType::kQ8_0, q8)[0], -0.5F);
  EXPECT_EQ(expand(DType::kQ8_0, q8)[31], 63.5F);

  Bytes q4(18);
  put_half(q4, 0, 2.0F);
  q4[2] = 0xf0;  // element 0 is 0 - 8, element 16 is 15 - 8
  q4[17] = 0x89;
  EXPECT_EQ(expand(DType::kQ4_0, q4)[0], -16.0F);
  EXPECT_EQ(expand(DType::kQ4_0, q4)[16], 14.0F);
  EXPECT_EQ(expand(DType::kQ4_0, q4)[15], 2.0F);
  EXPECT_EQ(expand(DType::kQ4_0, q4)[31], 0.0F);

  Bytes q5(22);
  put_half(q5, 0, 1.0F);
  q5[2] = 0x01;  // fifth bit of element 0
  q5[5] = 0x80;  // and of element 31
  q5[6] = 0x03;
  q5[21] = 0x70;
  EXPECT_EQ(expand(DType::kQ5_0, q5)[0], 3.0F);
  EXPECT_EQ(expand(DType::kQ5_0, q5)[31], 7.0F);
  EXPECT_EQ(expand(DType::kQ5_0, q5)[1], -16.0F);
}

TEST(DequantiseTest, HandComputedQ4KBlock) {
  Bytes block(144);
  put_half(block, 0, 0.5F);
  put_half(block, 2, 0.25F);
  block[4] = 0x80 | 3;    // group 0: scale 3; top bits 2 go to group 4
  block[8] = 0x40 | 5;    // group 0: minimum 5; top bits 1 go to group 4
  block[12] = 0x76;       // group 4: low bits of scale 6, of minimum 7
  block[16] = 0x09;       // element 0 is 9
  block[16 + 64] = 0x0b;  // element 128, the first of group 4, is 11
  const std::vector<float> y = expand(DType::kQ4_K, block);
  EXPECT_EQ(y[0], 0.5F * 3 * 9 - 0.25F * 5);
  EXPECT_EQ(y[128], 0.5F * (6 + 32) * 11 - 0.25F * (7 + 16));
  EXPECT_EQ(y[1], -0.25F * 5);
}

TEST(DequantiseTest, HandComputedQ6KBlock) {
  Bytes block(210);
  put_half(block, 208, 0.125F);
  block[192] = 4;          // group 0
  block[192 + 15] = 0xfe;  // group 15: -2
  block[0] = 0x05;         // element 0: low bits 5
  block[128] = 0x02;       // and high bits 2
  block[127] = 0x60;       // element 255: low bits 6
  block[128 + 63] = 0xc0;  // and high bits 3
  const std::vector<float> y = expand(DType::kQ6_K, block);
  EXPECT_EQ(y[0], 0.125F * 4 * (5 + 32 - 32));
  EXPECT_EQ(y[255], 0.125F * -2 * (6 + 48 - 32));
}

}  // namespace
}  // namespace snug
