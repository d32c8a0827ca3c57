// Accuracy of the vector functions behind activations, over the range in which networks use them and beyond.
#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "backend/reference/reference_kernel.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd_math_test.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/simd_math-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

struct Exp2 {
  HWY_INLINE FloatVector operator()(FloatVector x) const { return exp2(x); }
};
void map_exp2(const float* x, float* out, int64_t count) { map(Exp2(), x, out, count); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(map_exp2);

std::vector<float> run_exp2(const std::vector<float>& x) {
  used_isa();  // Highway settles on it
  std::vector<float> out(x.size());
  HWY_DYNAMIC_DISPATCH(map_exp2)(x.data(), out.data(), static_cast<int64_t>(x.size()));
  return out;
}

TEST(SimdMathExp2, IsWithinTwoRoundings) {
  std::vector<float> x;
  for (int i = -126 * 4096; i < 127 * 4096; ++i) x.push_back(static_cast<float>(i) / 4096 + 1e-5F);
  const std::vector<float> got = run_exp2(x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double error = std::fabs(got[i] / std::exp2(static_cast<double>(x[i])) - 1);
    if (!(error <= worst)) worst = error;  // NaN too
  }
  std::printf("parity exp2: worst %.2g of the value (tolerance 2.5e-07)\n", worst);
  EXPECT_LE(worst, 2.5e-7);
}

// What attention's sums rely on: nothing is left of a masked score, and a sum says so when a score is too
// high.
TEST(SimdMathExp2, VanishesOverflowsAndKeepsNan) {
  const std::vector<float> got = run_exp2({-INFINITY, -3e38F, -1000, 1000, 3e38F, INFINITY, NAN, 0});
  EXPECT_EQ(got[0], 0);
  EXPECT_EQ(got[1], 0);
  EXPECT_EQ(got[2], 0);
  EXPECT_EQ(got[3], INFINITY);
  EXPECT_EQ(got[4], INFINITY);
  EXPECT_FALSE(got[5] < INFINITY);
  EXPECT_TRUE(std::isnan(got[6]));
  EXPECT_NEAR(got[7], 1, 2e-7);
}

std::vector<float> run(Activation activation, const std::vector<float>& x) {
  const Operand operand = {DType::kF32, Shape{1, static_cast<int64_t>(x.size())}, true, false};
  const NodeSpec node = make_node(Op::kActivation, ActivationAttrs{activation}, {operand});
  KernelTrial trial(node, cpu_backend().choose(node).kernel, {x});
  EXPECT_EQ(trial.kernel().name(), "cpu_activation");
  trial.run();
  EXPECT_EQ(trial.damage(), "");
  return trial.output();
}

class SimdMath : public ::testing::TestWithParam<Activation> {};

TEST_P(SimdMath, IsWithinAFewRoundings) {
  std::vector<float> x;
  for (int i = -400000; i <= 400000; ++i) x.push_back(static_cast<float>(i) * 5e-5F);  // ±20
  for (float small = 1e-30F; small < 1; small *= 1.5F) x.insert(x.end(), {small, -small});
  const std::vector<float> got = run(GetParam(), x);
  double worst = 0;
  float at = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = reference::apply(GetParam(), x[i]);
    const double error = std::fabs(got[i] - expected) / std::max(1.0, std::fabs(expected));
    if (error > worst || std::isnan(error)) {
      worst = std::isnan(error) ? INFINITY : error;
      at = x[i];
    }
  }
  std::printf("parity activation %s: worst %.2g (tolerance 5e-07) at %g\n",
              std::string(activation_name(GetParam())).c_str(), worst, at);
  EXPECT_LE(worst, 5e-7);
}

TEST_P(SimdMath, TakesTheLargestValuesAndKeepsNan) {
  const std::vector<float> got = run(GetParam(), {100, -100, 3e38F, -3e38F, NAN, 0});
  const bool bounded = GetParam() == Activation::kTanh;
  EXPECT_FLOAT_EQ(got[0], bounded ? 1 : 100);
  EXPECT_NEAR(got[1], bounded ? -1 : 0, 1e-30);
  EXPECT_FLOAT_EQ(got[2], bounded ? 1 : 3e38F);
  EXPECT_NEAR(got[3], bounded ? -1 : 0, 10);
  EXPECT_TRUE(std::isnan(got[4]));
  EXPECT_EQ(got[5], 0);
}

INSTANTIATE_TEST_SUITE_P(Activations, SimdMath,
                         ::testing::Values(Activation::kSilu, Activation::kGelu, Activation::kGeluTanh,
                                           Activation::kQuickGelu, Activation::kRelu, Activation::kTanh),
                         [](const auto& test) { return std::string(activation_name(test.param)); });

}  // namespace
}  // namespace snug
#endif  // HWY_ONCE
