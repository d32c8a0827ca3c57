// What op_test.cc does not ask of the oneDNN kernels: the same bits for any number of threads and for each
// item of a batch, and concurrent calls.
#include "backend/cpu/onednn_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "backend/cpu/isa.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "backend/reference/kernel_list.h"
#include "base/parallel.h"

namespace snug {
namespace {

NodeSpec conv_node(const Shape& x, int64_t outputs, int64_t side, Conv2dAttrs attrs, bool residual) {
  NodeSpec node = make_node(Op::kConv2d, attrs,
                            {{DType::kF32, x},
                             {DType::kF32, {outputs, x[1], side, side}, true, true},
                             {DType::kF32, {outputs}, true, true},
                             {DType::kF32, {}, false}});
  if (residual) node.operands[3] = {DType::kF32, node.output.shape};
  return node;
}

NodeSpec linear_node(const Shape& x, int64_t outputs, bool residual,
                     Activation activation = Activation::kNone) {
  NodeSpec node = make_node(Op::kLinear, LinearAttrs{activation},
                            {{DType::kF32, x},
                             {DType::kF32, {outputs, x[-1]}, true, true},
                             {DType::kF32, {outputs}, true, true},
                             {DType::kF32, {}, false}});
  if (residual) node.operands[3] = {DType::kF32, node.output.shape};
  return node;
}

std::unique_ptr<Kernel> make(const NodeSpec& node) {
  std::string reason;
  auto kernel = node.op == Op::kConv2d ? make_onednn_conv2d(node, reason) : make_onednn_linear(node, reason);
  EXPECT_NE(kernel, nullptr) << reason;
  return kernel;
}

// On the oldest machines odd channel counts are the reference's.
bool is_declined(const NodeSpec& node) {
  std::string reason;
  return (node.op == Op::kConv2d ? make_onednn_conv2d(node, reason) : make_onednn_linear(node, reason)) ==
         nullptr;
}

// Shapes of the models whose sums are long beside few outputs: where a library might cut them among threads.
std::vector<NodeSpec> nodes() {
  const Conv2dAttrs same{1, 1, 1, 1, 1, Activation::kNone};
  std::vector<NodeSpec> list = {
      conv_node({2, 4, 16, 16}, 320, 3, same, false),
      conv_node({2, 320, 32, 32}, 4, 3, same, false),
      conv_node({2, 320, 16, 16}, 320, 3, same, true),
      conv_node({1, 1280, 8, 8}, 1280, 3, same, true),
      conv_node({2, 384, 16, 16}, 192, 3, same, false),  // oneDNN's own choice differs at 8 threads
      conv_node({2, 320, 16, 16}, 320, 3, {2, 0, 0, 1, 1, Activation::kNone}, false),
      conv_node({2, 2560, 8, 8}, 1280, 1, {}, false),
      conv_node({1, 64, 64, 64}, 64, 3, {1, 1, 1, 1, 1, Activation::kRelu}, true),
      linear_node({1, 320}, 1280, false, Activation::kSilu),
      linear_node({2, 1280}, 320, false),
      linear_node({1, 77, 768}, 3072, false, Activation::kQuickGelu),
      linear_node({1, 77, 3072}, 768, true),
      linear_node({2, 64, 5120}, 1280, true),
      linear_node({2, 17, 33}, 7, false, Activation::kGelu),
  };
  if (used_isa() == Isa::kBaseline) std::erase_if(list, is_declined);
  if (used_isa() >= Isa::kAvx512Bf16) {
    const size_t count = list.size();
    for (size_t i = 0; i < count; ++i) list.push_back(with_activations(list[i], DType::kBF16));
  }
  return list;
}

class ThreadCount {
 public:
  ~ThreadCount() { set_thread_count(before_); }

 private:
  int before_ = thread_count();
};

TEST(Onednn, BitsDoNotDependOnTheNumberOfThreads) {
  const ThreadCount restore;
  for (const NodeSpec& node : nodes()) {
    const OperandValues values = made_up_operands(node);
    std::vector<std::byte> expected;
    for (const int threads : {1, 2, 3, 4, 8}) {
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

TEST(Onednn, EachItemOfABatchHasTheSameBitsAsAlone) {
  const Conv2dAttrs same{1, 1, 1, 1, 1, Activation::kNone};
  for (const int64_t inputs : {4, 96, 640}) {
    const NodeSpec two = conv_node({2, inputs, 16, 16}, 64, 3, same, false);
    if (used_isa() == Isa::kBaseline && is_declined(two)) continue;
    OperandValues values = made_up_operands(two);
    const size_t half = values[0].size() / 2;
    std::copy_n(values[0].begin(), half, values[0].begin() + static_cast<std::ptrdiff_t>(half));
    KernelTrial trial(two, make(two), values);
    trial.run();
    const std::vector<float> out = trial.output();
    const auto middle = out.begin() + static_cast<std::ptrdiff_t>(out.size() / 2);
    EXPECT_TRUE(std::equal(out.begin(), middle, middle)) << inputs;
  }
}

// Two strips of 130 rows for 259, so that they overlap, and a residual.
TEST(Onednn, StripsAgreeWithTheReferenceWhereTheyMeet) {
  const NodeSpec node = conv_node({1, 16, 259, 256}, 16, 3, {1, 1, 1, 1, 1, Activation::kSilu}, true);
  const OperandValues values = made_up_operands(node);
  KernelTrial trial(node, make(node), values);
  EXPECT_EQ(trial.kernel().name(), used_isa() >= Isa::kAvx2 ? "onednn_strip_conv2d" : "onednn_conv2d");
  trial.run();
  EXPECT_EQ(trial.damage(), "");
  std::string reason;
  KernelTrial reference(node, reference_candidate(node.op).make(node, reason), values);
  reference.run();
  const std::vector<float> got = trial.output(), expected = reference.output();
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::fabs(static_cast<double>(got[i]) - expected[i]));
  }
  std::printf("parity convolution in strips: worst %.2g (tolerance 1e-5)\n", worst);
  EXPECT_LT(worst, 1e-5);
}

// The upper rows of a picture cut into two strips, and of a shorter one that is a single strip.
TEST(Onednn, StripsChangeNoBit) {
  const Conv2dAttrs same{1, 1, 1, 1, 1, Activation::kNone};
  const NodeSpec tall = conv_node({1, 640, 72, 32}, 640, 3, same, false);
  const NodeSpec low = conv_node({1, 640, 40, 32}, 640, 3, same, false);
  const OperandValues values = made_up_operands(tall);
  OperandValues upper = values;
  upper[0].resize(static_cast<size_t>(low.operands[0].shape.elements()));
  KernelTrial tall_trial(tall, make(tall), values), low_trial(low, make(low), upper);
  tall_trial.run();
  low_trial.run();
  const std::vector<float> a = tall_trial.output(), b = low_trial.output();
  constexpr std::ptrdiff_t kRows = 39;  // the last sees what is below
  EXPECT_TRUE(std::equal(a.begin(), a.begin() + kRows * 32 * 640, b.begin()));
}

TEST(Onednn, SeveralThreadsMayRunOneKernelAtOnce) {
  const NodeSpec node = linear_node({64, 96}, 80, true);
  const OperandValues values = made_up_operands(node);
  const std::shared_ptr<Kernel> kernel = make(node);
  class Shared final : public Kernel {
   public:
    explicit Shared(std::shared_ptr<Kernel> shared) : kernel_(std::move(shared)) {}
    std::string_view name() const override { return kernel_->name(); }
    size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
    WeightForm weight_form(int index) const override { return kernel_->weight_form(index); }
    void pack_weight(int index, std::span<const float> dense, std::byte* out) const override {
      kernel_->pack_weight(index, dense, out);
    }
    void prepare() override { kernel_->prepare(); }
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

TEST(Onednn, DeclinesWhatItCannotDoWell) {
  std::string reason;
  NodeSpec node = linear_node({4, 8}, 8, false);
  node.operands[0].dtype = node.output.dtype = DType::kF16;
  EXPECT_EQ(make_onednn_linear(node, reason), nullptr);
  EXPECT_NE(reason.find("F16"), std::string::npos);
}

}  // namespace
}  // namespace snug
