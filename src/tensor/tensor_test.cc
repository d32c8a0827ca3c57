#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "tensor/convert.h"
#include "tensor/host_tensor.h"

namespace snug {
namespace {

TEST(Convert, EveryHalfSurvivesTheWayToFloatAndBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = f16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      ASSERT_EQ(f32_to_f16(value), bits);
    }
  }
}

TEST(Convert, NarrowingRoundsToNearestEven) {
  // Halfway between two neighbours goes to the even one; just above goes up.
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808000U)), 0x3f80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f818000U)), 0x3f82);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808001U)), 0x3f81);
  EXPECT_EQ(f32_to_f16(65519.9F), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0F), 0x7c00);
  // Against a search over all halves, for random floats.
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 1);
  for (int i = 0; i < 2000; ++i) {
    const float value = normal(random) * std::exp2(static_cast<float>(i % 36) - 26);
    const float rounded = f16_to_f32(f32_to_f16(value));
    const auto bits = f32_to_f16(value);
    for (const int step : {-1, 1}) {
      const float other = f16_to_f32(static_cast<uint16_t>(bits + step));
      if (std::isfinite(other) && std::signbit(other) == std::signbit(value)) {
        EXPECT_LE(std::abs(rounded - value), std::abs(other - value)) << value;
      }
    }
  }
}

TEST(Shape, NegativeAxesCountFromTheInnermost) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.elements(), 24);
  EXPECT_EQ(shape.text(), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.elements(), 1);
}

TEST(DType, NamesAndBlockSizesAgreeWithTheFormats) {
  EXPECT_EQ(bytes_of(DType::kQ4_K, 512), 288);
  EXPECT_EQ(dtype_from_name("BF16"), DType::kBF16);
  EXPECT_FALSE(dtype_from_name("Q99").has_value());
}

}  // namespace
}  // namespace snug
