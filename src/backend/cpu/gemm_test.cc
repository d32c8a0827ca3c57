// What op_test.cc does not ask of convolution and matrix product: shapes whose inner dimension takes several
// blocks, parts of any cut, the bits of a part and of any number of threads, concurrent calls.
#include "backend/cpu/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "backend/cpu/conv2d.h"
#include "backend/cpu/linear.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "backend/reference/kernel_list.h"
#include "base/parallel.h"

namespace snug {
namespace {

struct Case {
  Shape x;
  int64_t outputs = 0;
  int64_t window = 0;  // 0: a linear
  DType weight = DType::kF32;
  bool residual = false;
  Activation activation = Activation::kNone;
  Conv2dAttrs conv = {1, 1, 1, 1, 1};
  bool gated = false;
};

NodeSpec node_of(const Case& c) {
  const Shape weight =
      c.window == 0 ? Shape{c.outputs, c.x[-1]} : Shape{c.outputs, c.x[1], c.window, c.window};
  Attrs attrs = LinearAttrs{c.activation, c.gated};
  if (c.window != 0) {
    Conv2dAttrs conv = c.conv;
    conv.activation = c.activation;
    attrs = conv;
  }
  const Operand matrix = {c.weight, weight, true, true}, bias = {DType::kF32, {c.outputs}, true, true};
  std::vector<Operand> operands = {{DType::kF32, c.x}, matrix, bias, {DType::kF32, {}, false}};
  if (c.gated) operands.insert(operands.end(), {matrix, bias});
  NodeSpec node = make_node(c.window == 0 ? Op::kLinear : Op::kConv2d, attrs, operands);
  if (c.residual) node.operands[kProductResidual] = {DType::kF32, node.output.shape};
  return node;
}

std::unique_ptr<Kernel> make(const NodeSpec& node) {
  std::string reason;
  auto kernel = node.op == Op::kConv2d ? make_conv2d(node, reason) : make_linear(node, reason);
  EXPECT_NE(kernel, nullptr) << reason;
  return kernel;
}

std::vector<NodeSpec> nodes() {
  const Conv2dAttrs down = {2, 0, 0, 1, 1}, none = {1, 0, 0, 0, 0}, wide = {3, 2, 1, 3, 4};
  std::vector<NodeSpec> list;
  for (const Case& c : std::vector<Case>{
           {{2, 4, 16, 16}, 320, 3, DType::kF16},
           {{1, 320, 9, 16}, 4, 3, DType::kF16},
           {{2, 320, 8, 8}, 96, 3, DType::kF16, true},
           {{1, 200, 13, 7}, 50, 3, DType::kBF16, true, Activation::kSilu},
           {{1, 66, 12, 16}, 33, 3, DType::kF32, false, Activation::kNone, down},
           {{1, 1000, 5, 5}, 100, 1, DType::kF16, true, Activation::kNone, none},
           {{2, 9, 11, 10}, 17, 5, DType::kF16, false, Activation::kRelu, wide},
           {{1, 1024, 6, 6}, 40, 3, DType::kF16},  // rows that share their places in the cache
           {{1, 320}, 1280, 0, DType::kF16, false, Activation::kSilu},
           {{2, 77, 768}, 640, 0, DType::kBF16, true, Activation::kQuickGelu},
           {{1, 129, 1024}, 192, 0, DType::kF16, true},
           {{2, 17, 33}, 7, 0, DType::kF16, false, Activation::kGelu},
           {{600, 39}, 65, 0, DType::kF32, true},
       }) {
    list.push_back(node_of(c));
  }
  // Gated: one block and several, rows of more than one task, few rows, panels that are not whole.
  for (Case c : std::vector<Case>{{{1, 900, 320}, 200, 0, DType::kF16},
                                  {{2, 230, 1024}, 70, 0, DType::kF16},
                                  {{3, 640}, 330, 0, DType::kBF16},
                                  {{500, 400}, 45, 0, DType::kF32}}) {
    c.activation = Activation::kGelu;
    c.gated = true;
    list.push_back(node_of(c));
  }
  const size_t count = list.size();
  for (size_t i = 0; i < count; ++i) list.push_back(with_activations(list[i], DType::kBF16));
  return list;
}

class ThreadCount {
 public:
  ~ThreadCount() { set_thread_count(before_); }

 private:
  int before_ = thread_count();
};

// 8 epsilon of Σ|a||b|, which is about √K times the result's size here; see op_test.cc.
TEST(Product, AgreesWithTheReference) {
  for (const NodeSpec& node : nodes()) {
    const OperandValues values = made_up_operands(node);
    KernelTrial trial(node, make(node), values);
    trial.run();
    EXPECT_EQ(trial.damage(), "") << node.key();
    std::string reason;
    KernelTrial reference(node, reference_candidate(node.op).make(node, reason), values);
    reference.run();
    const std::vector<float> got = trial.output(), expected = reference.output();
    double worst = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const double size = std::max(1.0, std::fabs(static_cast<double>(expected[i])));
      const double error = std::fabs(static_cast<double>(got[i]) - expected[i]) / size;
      worst = std::isnan(error) ? 1e9 : std::max(worst, error);
    }
    EXPECT_LT(worst, node.output.dtype == DType::kF32 ? 2e-5 : 0x1p-7) << node.key();
  }
}

TEST(Product, BitsDoNotDependOnTheNumberOfThreads) {
  const ThreadCount restore;
  for (const NodeSpec& node : nodes()) {
    const OperandValues values = made_up_operands(node);
    std::vector<std::byte> expected;
    for (const int threads : {1, 2, 3, 8}) {
      set_thread_count(threads);
      KernelTrial trial(node, make(node), values);
      trial.run();
      ASSERT_EQ(trial.damage(), "") << node.key();
      if (threads == 1) expected = trial.output_bytes();
      EXPECT_EQ(trial.output_bytes(), expected) << node.key() << " with " << threads << " threads";
    }
    // Laid out for eight threads, run by fewer.
    KernelTrial trial(node, make(node), values);
    set_thread_count(2);
    trial.run();
    EXPECT_EQ(trial.output_bytes(), expected) << node.key() << " on fewer threads than planned";
  }
}

TEST(Product, PartsHaveTheBitsOfTheWhole) {
  std::mt19937 random(7);
  const auto cut = [&](int64_t end, int64_t step) {
    return std::min(end, static_cast<int64_t>(random() % static_cast<uint64_t>(end / step + 1) + 1) * step);
  };
  for (const NodeSpec& node : nodes()) {
    KernelTrial trial(node, make(node), made_up_operands(node));
    trial.run();
    const std::vector<std::byte> expected = trial.output_bytes();
    const Region whole = whole_region(node.output.shape);
    const int64_t rows = pixel_step(node.op, node.attrs, node.operands, node.output);
    for (const bool by_pixels : {true, false}) {
      trial.clear_output();
      const int64_t images = by_pixels ? whole.images.end : 1;
      for (int64_t image = 0; image < images; ++image) {
        const Interval all = by_pixels ? whole.pixels : whole.channels;
        for (Interval at = {0, 0}; at.end < all.end;) {
          at = {at.end, std::min(all.end, at.end + cut(all.end, by_pixels ? rows : 13))};
          Region part = whole;
          if (by_pixels) part.images = {image, image + 1};
          (by_pixels ? part.pixels : part.channels) = at;
          trial.run_part({part, part, trial.needed(part)});
        }
      }
      EXPECT_EQ(trial.damage(), "") << node.key();
      EXPECT_EQ(trial.output_bytes(), expected) << node.key() << (by_pixels ? " by pixels" : " by channels");
    }
    if (node.operands[kProductResidual].present) {
      trial.clear_output();
      trial.run_over(kProductResidual);
      EXPECT_EQ(trial.output_bytes(), expected) << node.key() << " over its residual";
    }
  }
}

TEST(Product, SeveralThreadsMayRunOneKernelAtOnce) {
  const NodeSpec node = node_of({{64, 96}, 80, 0, DType::kF16, true});
  const OperandValues values = made_up_operands(node);
  const std::shared_ptr<Kernel> kernel = make(node);
  class Shared final : public Kernel {
   public:
    explicit Shared(std::shared_ptr<Kernel> shared) : kernel_(std::move(shared)) {}
    std::string_view name() const override { return kernel_->name(); }
    size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
    DType weight_dtype(int index) const override { return kernel_->weight_dtype(index); }
    void run(const KernelArgs& args) const override { kernel_->run(args); }

   private:
    std::shared_ptr<Kernel> kernel_;
  };
  std::vector<std::unique_ptr<KernelTrial>> trials;
  for (int i = 0; i < 3; ++i) {
    trials.push_back(std::make_unique<KernelTrial>(node, std::make_unique<Shared>(kernel), values));
  }
  trials[0]->run();
  const std::vector<std::byte> expected = trials[0]->output_bytes();
  std::vector<std::thread> threads;
  for (auto& trial : trials) {
    threads.emplace_back([&trial] {
      for (int i = 0; i < 50; ++i) trial->run();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& trial : trials) EXPECT_EQ(trial->output_bytes(), expected);
}

TEST(Product, DeclinesElementTypesThatItDoesNotTake) {
  std::string reason;
  NodeSpec node = node_of({{4, 8}, 8});
  node.operands[0].dtype = node.output.dtype = DType::kF16;
  EXPECT_EQ(make_linear(node, reason), nullptr);
  EXPECT_NE(reason.find("F16"), std::string::npos);
  node = node_of({.x = {4, 8}, .outputs = 8, .gated = true});
  EXPECT_NE(make_linear(node, reason), nullptr);
  node.operands[kProductGateWeight].dtype = DType::kF16;
  EXPECT_EQ(make_linear(node, reason), nullptr);
  EXPECT_NE(reason.find("gate"), std::string::npos);
}

}  // namespace
}  // namespace snug
