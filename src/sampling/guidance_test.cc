#include "sampling/guidance.h"

#include <array>

#include <gtest/gtest.h>

namespace snug {
namespace {

TEST(CombineGuidance, GoesFromTheNegativeThroughThePositive) {
  const std::array<float, 3> negative = {1, 2, -4};
  const std::array<float, 3> positive = {2, 2, 0};
  std::array<float, 3> out = {};
  combine_guidance(negative, positive, 7.5F, out);
  EXPECT_EQ(out, (std::array<float, 3>{8.5F, 2, 26}));
  combine_guidance(negative, positive, 1, out);
  EXPECT_EQ(out, positive);
}

TEST(CombineGuidance, MayOverwriteAnInput) {
  std::array<float, 2> negative = {1, 2};
  const std::array<float, 2> positive = {3, 5};
  combine_guidance(negative, positive, 2, negative);
  EXPECT_EQ(negative, (std::array<float, 2>{5, 8}));
}

}  // namespace
}  // namespace snug
