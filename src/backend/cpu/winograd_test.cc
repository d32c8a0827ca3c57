// Winograd's convolution at shapes that its candidate would decline too: against sums in double, and the bits
// of parts of any cut and of any number of threads.
#include "backend/cpu/winograd.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "base/parallel.h"

namespace snug {
namespace {

struct Case {
  Shape x;
  int64_t outputs = 0;
  DType weight = DType::kF32;
  bool residual = false;
  Activation activation = Activation::kNone;
};

NodeSpec node_of(const Case& c) {
  NodeSpec node = make_node(Op::kConv2d, Conv2dAttrs{1, 1, 1, 1, 1, c.activation},
                            {{DType::kF32, c.x},
                             {c.weight, {c.outputs, c.x[1], 3, 3}, true, true},
                             {DType::kF32, {c.outputs}, true, true},
                             {DType::kF32, {}, false}});
  if (c.residual) node.operands[kProductResidual] = {DType::kF32, node.output.shape};
  return node;
}

std::vector<NodeSpec> nodes() {
  std::vector<NodeSpec> list;
  for (const Case& c : std::vector<Case>{
           {{1, 1, 1, 1}, 1},
           {{2, 3, 5, 6}, 7, DType::kF16},
           {{1, 16, 4, 4}, 16},
           {{2, 150, 9, 13}, 70, DType::kF16, true},
           {{1, 64, 33, 18}, 130, DType::kBF16, true, Activation::kSilu},
           {{3, 20, 7, 50}, 300, DType::kF16, false, Activation::kRelu},
           {{1, 256, 24, 32}, 40, DType::kF16},
       }) {
    list.push_back(node_of(c));
    if (used_isa() == Isa::kAvx512Bf16) list.push_back(with_activations(list.back(), DType::kBF16));
  }
  return list;
}

std::unique_ptr<Kernel> make(const NodeSpec& node) {
  std::string reason;
  auto kernel = make_winograd_anyway(node, reason);
  EXPECT_NE(kernel, nullptr) << reason;
  return kernel;
}

class Winograd : public ::testing::Test {
 protected:
  void SetUp() override {
    if (used_isa() < Isa::kAvx2) GTEST_SKIP() << "no AVX2 in use";
  }
  void TearDown() override { set_thread_count(threads_at_start_); }

 private:
  int threads_at_start_ = (cpu_backend(), thread_count());
};

// One output's sum, without activation; operands in stored order.
double sum_at(const NodeSpec& node, const OperandValues& values, int64_t index) {
  const Shape& x = node.operands[kProductX].shape;
  const int64_t outputs = node.output.shape[1], o = index % outputs, pixel = index / outputs;
  const int64_t column = pixel % x[3], row = pixel / x[3] % x[2], image = pixel / x[3] / x[2];
  double sum = values[kProductBias][static_cast<size_t>(o)];
  if (node.operands[kProductResidual].present) sum += values[kProductResidual][static_cast<size_t>(index)];
  for (int64_t tap = 0; tap < 9; ++tap) {
    const int64_t y = row + tap / 3 - 1, at = column + tap % 3 - 1;
    if (y < 0 || y >= x[2] || at < 0 || at >= x[3]) continue;
    for (int64_t c = 0; c < x[1]; ++c) {
      const int64_t from = ((image * x[2] + y) * x[3] + at) * x[1] + c;
      sum += static_cast<double>(values[kProductX][static_cast<size_t>(from)]) *
             values[kProductWeight][static_cast<size_t>((o * x[1] + c) * 9 + tap)];
    }
  }
  return sum;
}

TEST_F(Winograd, AgreesWithSumsInDouble) {
  for (NodeSpec node : nodes()) {
    std::get<Conv2dAttrs>(node.attrs).activation = Activation::kNone;
    const OperandValues values = made_up_operands(node);
    KernelTrial trial(node, make(node), values);
    trial.run();
    EXPECT_EQ(trial.damage(), "") << node.key();
    const std::vector<float> got = trial.output();
    double worst = 0;
    for (size_t i = 0; i < got.size(); i += 3) {
      const double expected = sum_at(node, values, static_cast<int64_t>(i));
      const double error = std::fabs(got[i] - expected) / std::max(1.0, std::fabs(expected));
      worst = std::isnan(error) ? 1e9 : std::max(worst, error);
    }
    EXPECT_LT(worst, node.output.dtype == DType::kF32 ? 1e-5 : 1.0 / 256) << node.key();
  }
}

TEST_F(Winograd, BitsDoNotDependOnThreadsOrParts) {
  std::mt19937 random(5);
  for (const NodeSpec& node : nodes()) {
    const OperandValues values = made_up_operands(node);
    std::vector<std::byte> expected;
    for (const int threads : {1, 2, 3, 8}) {
      set_thread_count(threads);
      KernelTrial trial(node, make(node), values);
      trial.run();
      if (threads == 1) expected = trial.output_bytes();
      ASSERT_EQ(trial.output_bytes(), expected) << node.key() << " with " << threads << " threads";
      const Region whole = whole_region(node.output.shape);
      for (const bool by_pixels : {true, false}) {
        const Interval all = by_pixels ? whole.pixels : whole.channels;
        const int64_t step = by_pixels ? 4 * node.output.shape[3] : 64;
        trial.clear_output();
        for (int64_t image = 0; image < (by_pixels ? whole.images.end : 1); ++image) {
          for (Interval at = {0, 0}; at.end < all.end;) {
            const auto steps = static_cast<int64_t>(random() % 3 + 1);
            at = {at.end, std::min(all.end, at.end + steps * step)};
            Region part = whole;
            if (by_pixels) part.images = {image, image + 1};
            (by_pixels ? part.pixels : part.channels) = at;
            trial.run_part({part, part, trial.needed(part)});
          }
        }
        ASSERT_EQ(trial.output_bytes(), expected) << node.key() << (by_pixels ? " by rows" : " by channels");
      }
      EXPECT_EQ(trial.damage(), "") << node.key();
    }
  }
}

TEST_F(Winograd, MayOverwriteItsResidual) {
  for (const NodeSpec& node : nodes()) {
    if (!node.operands[kProductResidual].present) continue;
    KernelTrial trial(node, make(node), made_up_operands(node));
    trial.run();
    const std::vector<std::byte> expected = trial.output_bytes();
    trial.clear_output();
    trial.run_over(kProductResidual);
    EXPECT_EQ(trial.output_bytes(), expected) << node.key();
  }
}

TEST_F(Winograd, DeclinesWhatItCannotOrShouldNotDo) {
  std::string reason;
  NodeSpec node = node_of({{1, 32, 16, 16}, 32});
  EXPECT_NE(make_winograd(node, reason), nullptr) << reason;
  EXPECT_EQ(make_winograd(node_of({{1, 640, 4, 4}, 640}), reason), nullptr);
  EXPECT_NE(reason.find("so small a picture"), std::string::npos) << reason;
  EXPECT_EQ(make_winograd(node_of({{1, 4, 64, 64}, 320}), reason), nullptr);
  EXPECT_NE(reason.find("too few"), std::string::npos) << reason;
  std::get<Conv2dAttrs>(node.attrs).stride = 2;
  EXPECT_EQ(make_winograd(node, reason), nullptr);
  EXPECT_NE(reason.find("stride"), std::string::npos) << reason;
}

}  // namespace
}  // namespace snug
