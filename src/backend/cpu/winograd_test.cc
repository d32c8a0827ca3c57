// Winograd's convolution, of pictures and of clips, at shapes that its candidate would decline too: against
// sums in double, and the bits of parts of any cut and of any number of threads.
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
  // Of a clip:
  int64_t window_frames = 1, unseen_frames = 0;
};

Attrs attrs_of(const Case& c) {
  if (c.x.rank() == 4) return Conv2dAttrs{1, 1, 1, 1, 1, c.activation};
  return Conv3dAttrs{1, 1, c.window_frames - 1, 1, 1, 1, 1, c.unseen_frames, c.activation};
}

NodeSpec node_of(const Case& c) {
  const bool clip = c.x.rank() == 5;
  const Shape weight =
      clip ? Shape{c.outputs, c.x[1], c.window_frames, 3, 3} : Shape{c.outputs, c.x[1], 3, 3};
  NodeSpec node = make_node(clip ? Op::kConv3d : Op::kConv2d, attrs_of(c),
                            {{DType::kF32, c.x},
                             {c.weight, weight, true, true},
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
           {{1, 16, 1, 4, 4}, 16, DType::kF32, false, Activation::kNone, 3},
           {{2, 70, 4, 5, 6}, 33, DType::kF16, true, Activation::kNone, 3},
           {{1, 150, 5, 8, 13}, 70, DType::kF32, false, Activation::kSilu, 3},
           {{1, 20, 6, 12, 23}, 150, DType::kBF16, true, Activation::kNone, 1},
           {{2, 33, 4, 8, 7}, 20, DType::kF16, false, Activation::kNone, 3, 1},
           {{1, 48, 2, 16, 16}, 32, DType::kF16, false, Activation::kNone, 2, 2},
       }) {
    list.push_back(node_of(c));
    if (used_isa() < Isa::kAmx) list.push_back(with_activations(list.back(), DType::kBF16));
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
  const Shape& shape = node.operands[kProductX].shape;
  const auto* const of_clip = std::get_if<Conv3dAttrs>(&node.attrs);
  const int64_t frames = of_clip == nullptr ? 1 : shape[2];
  const int64_t height = shape[shape.rank() - 2], width = shape[shape.rank() - 1];
  const int64_t window_frames = of_clip == nullptr ? 1 : node.operands[kProductWeight].shape[2];
  const int64_t first_seen = of_clip == nullptr ? 0 : of_clip->unseen_frames;
  const int64_t outputs = node.output.shape[1], o = index % outputs, pixel = index / outputs;
  const int64_t column = pixel % width, row = pixel / width % height;
  const int64_t frame = pixel / width / height % frames, image = pixel / width / height / frames;
  double sum = values[kProductBias][static_cast<size_t>(o)];
  if (node.operands[kProductResidual].present) sum += values[kProductResidual][static_cast<size_t>(index)];
  for (int64_t tap = 0; tap < 9 * window_frames; ++tap) {
    const int64_t from_frame = frame - window_frames + 1 + tap / 9;
    const int64_t y = row + tap % 9 / 3 - 1, at = column + tap % 3 - 1;
    if (from_frame < first_seen || y < 0 || y >= height || at < 0 || at >= width) continue;
    for (int64_t c = 0; c < shape[1]; ++c) {
      const int64_t from = (((image * frames + from_frame) * height + y) * width + at) * shape[1] + c;
      sum += static_cast<double>(values[kProductX][static_cast<size_t>(from)]) *
             values[kProductWeight][static_cast<size_t>((o * shape[1] + c) * 9 * window_frames + tap)];
    }
  }
  return sum;
}

void leave_activation_out(NodeSpec& node) {
  if (auto* const attrs = std::get_if<Conv3dAttrs>(&node.attrs)) {
    attrs->activation = Activation::kNone;
  } else {
    std::get<Conv2dAttrs>(node.attrs).activation = Activation::kNone;
  }
}

TEST_F(Winograd, AgreesWithSumsInDouble) {
  for (NodeSpec node : nodes()) {
    leave_activation_out(node);
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
        const int64_t width = node.output.shape[node.output.shape.rank() - 1];
        const int64_t step = by_pixels ? make(node)->splits().row_step * width : 64;
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
  NodeSpec clip = node_of({{1, 32, 5, 16, 16}, 32, DType::kF32, false, Activation::kNone, 3});
  EXPECT_NE(make_winograd(clip, reason), nullptr) << reason;
  std::get<Conv3dAttrs>(clip.attrs).time_stride = 2;
  EXPECT_EQ(make_winograd(clip, reason), nullptr);
  EXPECT_NE(reason.find("all frames"), std::string::npos) << reason;
}

}  // namespace
}  // namespace snug
