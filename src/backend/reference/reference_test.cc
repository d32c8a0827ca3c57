// The oracle itself: values small enough to do by hand, and PyTorch's.
#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "backend/reference/kernel_list.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

Operand computed(Shape shape, DType dtype = DType::kF32) { return {dtype, shape, true, false}; }
Operand weight(Shape shape) { return {DType::kF32, shape, true, true}; }
Operand absent() { return {DType::kF32, Shape{}, false, false}; }

std::vector<float> run(const NodeSpec& node, const OperandValues& values) {
  std::string reason;
  KernelTrial trial(node, reference_candidate(node.op).make(node, reason), values);
  trial.run();
  EXPECT_EQ(trial.damage(), "");
  return trial.output();
}

using Floats = std::vector<float>;

TEST(Reference, Conv2dPadsEachSideByItself) {
  // One channel, 2×2 picture, 2×2 kernel of ones, padding at the end only: each output sums what is right of
  // and below its pixel.
  const Conv2dAttrs attrs = {1, 0, 0, 1, 1, Activation::kNone};
  const NodeSpec node =
      make_node(Op::kConv2d, attrs,
                {computed({1, 1, 2, 2}), weight({1, 1, 2, 2}), weight({1}), computed({1, 1, 2, 2})});
  EXPECT_EQ(run(node, {{1, 2, 3, 4}, {1, 1, 1, 1}, {100}, {1000, 2000, 3000, 4000}}),
            (Floats{1110, 2106, 3107, 4104}));
}

TEST(Reference, Conv2dReadsChannelsLast) {
  // Two channels, 1×2 picture stored as (1, 10), (2, 20); output 0 takes channel 1, output 1 their
  // difference.
  const NodeSpec node = make_node(Op::kConv2d, Conv2dAttrs{},
                                  {computed({1, 2, 1, 2}), weight({2, 2, 1, 1}), absent(), absent()});
  EXPECT_EQ(run(node, {{1, 10, 2, 20}, {0, 1, 1, -1}, {}, {}}), (Floats{10, -9, 20, -18}));
}

TEST(Reference, LinearAddsBiasAndResidualBeforeTheActivation) {
  const NodeSpec node = make_node(Op::kLinear, LinearAttrs{Activation::kRelu},
                                  {computed({1, 2}), weight({2, 2}), weight({2}), computed({1, 2})});
  EXPECT_EQ(run(node, {{1, 2}, {1, 1, 1, -1}, {10, -10}, {0.5F, 10.5F}}), (Floats{13.5F, 0}));
}

TEST(Reference, GroupNormTakesItsStatisticsWithTheAddedChannels) {
  // Two pixels, two channels, one group: after adding (0, 4) the values are -1 and 1, in equal number.
  const NodeSpec node = make_node(Op::kGroupNorm, GroupNormAttrs{1, 0, Activation::kNone},
                                  {computed({1, 2, 1, 2}), weight({2}), weight({2}), computed({1, 2})});
  EXPECT_EQ(run(node, {{-1, -5, 1, -3}, {1, 2}, {0, 10}, {0, 4}}), (Floats{-1, 8, 1, 12}));
}

TEST(Reference, LayerNormIsOverEachRow) {
  const NodeSpec node = make_node(Op::kLayerNorm, LayerNormAttrs{0}, {computed({2, 2}), absent(), absent()});
  EXPECT_EQ(run(node, {{3, 5, 100, -100}, {}, {}}), (Floats{-1, 1, 1, -1}));
}

TEST(Reference, RmsNormTakesNoMeanAndScalesChannels) {
  const NodeSpec rows = make_node(Op::kRmsNorm, RmsNormAttrs{0}, {computed({2, 2}), weight({2})});
  EXPECT_EQ(run(rows, {{7, 1, -3, 3}, {5, 10}}), (Floats{7, 2, -5, 10}));
  // A picture of two pixels is stored channels-last; epsilon keeps what is zero at zero.
  const NodeSpec picture =
      make_node(Op::kRmsNorm, RmsNormAttrs{1e-24F}, {computed({1, 2, 1, 2}), weight({2, 1, 1})});
  EXPECT_EQ(run(picture, {{7, 1, 0, 0}, {5, 10}}), (Floats{7, 2, 0, 0}));
}

TEST(Reference, AttentionIsTheSoftmaxWeightedMean) {
  // Scores 0 and ln 3 give weights 1/4 and 3/4; the first query of a causal one sees the first key alone.
  const NodeSpec node = make_node(Op::kAttention, AttentionAttrs{1, 1, true},
                                  {computed({1, 2, 1}), computed({1, 2, 1}), computed({1, 2, 1})});
  const Floats out = run(node, {{1, 1}, {0, std::log(3.0F)}, {8, 16}});
  EXPECT_FLOAT_EQ(out[0], 8);
  EXPECT_FLOAT_EQ(out[1], 14);
}

TEST(Reference, AttentionAddsTheBiasOfKeyMinusQuery) {
  // All q·k are 0. Rows of the bias: keys 1 behind, 0 and 1 ahead of their query.
  const NodeSpec node =
      make_node(Op::kAttention, AttentionAttrs{},
                {computed({1, 2, 1}), computed({1, 2, 1}), computed({1, 2, 1}), computed({1, 3, 1})});
  const Floats out = run(node, {{0, 0}, {1, 1}, {8, 16}, {0, std::log(3.0F), std::log(9.0F)}});
  EXPECT_FLOAT_EQ(out[0], 14);  // weights 1/4 and 3/4
  EXPECT_FLOAT_EQ(out[1], 14);
}

TEST(Reference, AGatedLinearMultipliesByTheActivationOfItsGate) {
  const NodeSpec node =
      make_node(Op::kLinear, LinearAttrs{Activation::kRelu, true},
                {computed({2, 2}), weight({2, 2}), weight({2}), absent(), weight({2, 2}), weight({2})});
  // Rows 4 11 and 5 13; their gates 1 -0.5 and -2 2.5 before the function.
  EXPECT_EQ(run(node, {{1, 2, 3, 1}, {1, 1, 3, 4}, {1, 0}, {}, {-1, 1, 1, -1}, {0, 0.5F}}),
            (Floats{4, 0, 0, 32.5F}));
}

TEST(Reference, MovementKeepsChannelsInnermost) {
  const NodeSpec concat =
      make_node(Op::kConcat, ConcatAttrs{1}, {computed({1, 1, 1, 2}), computed({1, 2, 1, 2})});
  EXPECT_EQ(run(concat, {{1, 2}, {3, 4, 5, 6}}), (Floats{1, 3, 4, 2, 5, 6}));
  const NodeSpec slice = make_node(Op::kSlice, SliceAttrs{1, 1, 1}, {computed({1, 2, 1, 2})});
  EXPECT_EQ(run(slice, {{1, 2, 3, 4}}), (Floats{2, 4}));
  const NodeSpec upsample =
      make_node(Op::kUpsampleNearest, TargetShapeAttrs{{1, 1, 1, 5}}, {computed({1, 1, 1, 3})});
  EXPECT_EQ(run(upsample, {{1, 2, 3}}), (Floats{1, 1, 2, 2, 3}));  // floor(x 3 / 5) = 0 0 1 1 2
}

TEST(Reference, EmbeddingTakesRows) {
  const NodeSpec node = make_node(Op::kEmbedding, {}, {computed({1, 2}, DType::kI32), weight({3, 2})});
  EXPECT_EQ(run(node, {{2, 0}, {1, 2, 3, 4, 5, 6}}), (Floats{5, 6, 1, 2}));
}

// PyTorch's values; pictures come as N C H W.
Floats channels_last(const HostTensor& tensor) {
  const Shape& shape = tensor.shape();
  const int64_t pixels = shape[2] * shape[3];
  Floats out(static_cast<size_t>(shape.elements()));
  for (int64_t i = 0; i < shape.elements(); ++i) {
    const int64_t n = i / (shape[1] * pixels), c = i / pixels % shape[1], pixel = i % pixels;
    out[static_cast<size_t>((n * pixels + pixel) * shape[1] + c)] = tensor.floats()[static_cast<size_t>(i)];
  }
  return out;
}

class ReferenceGolden : public ::testing::Test {
 protected:
  static Floats flat(const HostTensor& tensor) {
    const HostTensor floats = tensor.to_f32();
    return {floats.floats().begin(), floats.floats().end()};
  }
  static void expect_near(const char* what, const Floats& got, const Floats& expected, double tolerance) {
    const double worst = testing::worst_difference(got, expected);
    std::printf("parity reference %s: worst %.2g (tolerance %.2g)\n", what, worst, tolerance);
    EXPECT_LE(worst, tolerance) << what;
  }
  const std::map<std::string, HostTensor> golden_ = testing::read_fixture("sd15-tiny/cases/unet.safetensors");
  const std::map<std::string, HostTensor> weights_ =
      testing::read_fixture("sd15-tiny/model/unet/diffusion_pytorch_model.safetensors");
};

TEST_F(ReferenceGolden, TimestepEmbedding) {
  const HostTensor& expected = golden_.at("tap.time_proj");
  const NodeSpec node = make_node(Op::kTimestepEmbedding,
                                  TimestepEmbeddingAttrs{expected.shape()[1], true, 0}, {computed({2})});
  expect_near("timestep_embedding", run(node, {flat(golden_.at("timestep"))}), flat(expected), 1e-6);
}

TEST_F(ReferenceGolden, LinearAndSilu) {
  const auto linear = [&](const std::string& name, const Floats& x, Activation activation) {
    const Shape& shape = weights_.at(name + ".weight").shape();
    const NodeSpec node = make_node(Op::kLinear, LinearAttrs{activation},
                                    {computed({2, shape[1]}), weight(shape), weight({shape[0]}), absent()});
    return run(node, {x, flat(weights_.at(name + ".weight")), flat(weights_.at(name + ".bias")), {}});
  };
  const Floats hidden =
      linear("time_embedding.linear_1", flat(golden_.at("tap.time_proj")), Activation::kSilu);
  expect_near("linear and silu", linear("time_embedding.linear_2", hidden, Activation::kNone),
              flat(golden_.at("tap.time_embedding")), 1e-6);
}

TEST_F(ReferenceGolden, Conv2d) {
  const HostTensor& sample = golden_.at("sample");
  const Shape& kernel = weights_.at("conv_in.weight").shape();
  const Conv2dAttrs attrs = {1, 1, 1, 1, 1, Activation::kNone};
  const NodeSpec node = make_node(Op::kConv2d, attrs,
                                  {computed(sample.shape()), weight(kernel), weight({kernel[0]}), absent()});
  expect_near("conv2d",
              run(node, {channels_last(sample),
                         flat(weights_.at("conv_in.weight")),
                         flat(weights_.at("conv_in.bias")),
                         {}}),
              channels_last(golden_.at("tap.conv_in")), 2e-6);
}

TEST_F(ReferenceGolden, GroupNorm) {
  const HostTensor& x = golden_.at("tap.up.2");
  const Shape channels = {x.shape()[1]};
  const NodeSpec node = make_node(Op::kGroupNorm, GroupNormAttrs{8, 1e-5F, Activation::kNone},
                                  {computed(x.shape()), weight(channels), weight(channels), absent()});
  expect_near("group_norm",
              run(node, {channels_last(x),
                         flat(weights_.at("conv_norm_out.weight")),
                         flat(weights_.at("conv_norm_out.bias")),
                         {}}),
              channels_last(golden_.at("tap.conv_norm_out")), 5e-6);
}

}  // namespace
}  // namespace snug
