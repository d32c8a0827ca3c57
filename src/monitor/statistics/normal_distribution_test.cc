#include "monitor/statistics/normal_distribution.h"

#include <cmath>

#include <gtest/gtest.h>

namespace snug {
namespace {

TEST(NormalDistribution, QuantileIsTheInverseOfTheProbability) {
  for (double z = -8; z <= 8; z += 0.0625) {
    // Above the middle 1 - p has lost what tells such z apart; the table below has the far ends.
    EXPECT_NEAR(normal_quantile(normal_probability(z)), z, z <= 5 ? 1e-9 : 0.1) << z;
    EXPECT_NEAR(two_sided_p_value(z), 2 * normal_probability(-std::abs(z)), 1e-15);
  }
}

TEST(NormalDistribution, HasTheValuesOfTheTables) {
  EXPECT_NEAR(normal_probability(1.959963984540054), 0.975, 1e-15);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(0.995), 2.5758293035489004, 1e-14);
  EXPECT_NEAR(normal_quantile(1e-12), -7.034483825301131, 1e-12);
}

}  // namespace
}  // namespace snug
