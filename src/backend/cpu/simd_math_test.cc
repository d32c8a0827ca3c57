// Accuracy of the vector functions behind activations, over the range in which networks use them and beyond.
#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "backend/reference/reference_kernel.h"

namespace snug {
namespace {

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
