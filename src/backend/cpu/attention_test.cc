// What op_test.cc does not ask of attention: agreement with a plain computation in double precision, the same
// bits for any number of threads, and scores that weights without an offset could not hold.
#include "backend/cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>

#include "backend/cpu/isa.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "base/parallel.h"

namespace snug {
namespace {

struct Case {
  int64_t images, queries, keys, heads, size, value_size;
  bool causal = false;
};

NodeSpec make_attention(const Case& c, float scale) {
  return make_node(Op::kAttention, AttentionAttrs{c.heads, scale, c.causal},
                   {{DType::kF32, {c.images, c.queries, c.heads * c.size}},
                    {DType::kF32, {c.images, c.keys, c.heads * c.size}},
                    {DType::kF32, {c.images, c.keys, c.heads * c.value_size}}});
}

NodeSpec make_attention(const Case& c) {
  return make_attention(c, 1 / std::sqrt(static_cast<float>(c.size)));
}

std::unique_ptr<Kernel> make(const NodeSpec& node) {
  used_isa();  // as the backend does first
  std::string reason;
  auto kernel = make_flash_attention(node, reason);
  EXPECT_NE(kernel, nullptr) << reason;
  return kernel;
}

// One query of one head.
void plain_row(const Case& c, double scale, const float* q, const float* k, const float* v, int64_t keys,
               float* out) {
  std::vector<double> scores(static_cast<size_t>(keys));
  for (int64_t j = 0; j < keys; ++j) {
    double score = 0;
    for (int64_t i = 0; i < c.size; ++i) score += static_cast<double>(q[i]) * k[j * c.heads * c.size + i];
    scores[static_cast<size_t>(j)] = score * scale;
  }
  const double highest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - highest);
  for (int64_t i = 0; i < c.value_size; ++i) {
    double value = 0;
    for (int64_t j = 0; j < keys; ++j)
      value += scores[static_cast<size_t>(j)] * v[j * c.heads * c.value_size + i];
    out[i] = static_cast<float>(value / sum);
  }
}

std::vector<float> plain(const Case& c, const NodeSpec& node, const OperandValues& values) {
  std::vector<float> out(static_cast<size_t>(node.output.shape.elements()));
  const double scale = std::get<AttentionAttrs>(node.attrs).scale;
  for (int64_t n = 0; n < c.images; ++n) {
    for (int64_t i = 0; i < c.queries; ++i) {
      for (int64_t h = 0; h < c.heads; ++h) {
        plain_row(c, scale, values[0].data() + ((n * c.queries + i) * c.heads + h) * c.size,
                  values[1].data() + (n * c.keys * c.heads + h) * c.size,
                  values[2].data() + (n * c.keys * c.heads + h) * c.value_size, c.causal ? i + 1 : c.keys,
                  out.data() + ((n * c.queries + i) * c.heads + h) * c.value_size);
      }
    }
  }
  return out;
}

double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= worst)) worst = difference;  // NaN too
  }
  return worst;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {2, 200, 200, 2, 40, 40},       {1, 130, 300, 3, 80, 80},  {1, 64, 192, 1, 160, 160},
      {2, 70, 77, 8, 40, 40},         {1, 65, 100, 1, 512, 512}, {1, 7, 13, 3, 6, 6},
      {1, 77, 77, 12, 64, 64, true},  {1, 1, 1, 1, 1, 1},        {1, 150, 150, 2, 24, 32},
      {1, 250, 250, 1, 32, 48, true}, {3, 5, 97, 2, 17, 9},      {1, 40, 193, 4, 6, 6},
  };
  return list;
}

TEST(FlashAttention, AgreesWithDoublePrecision) {
  double worst = 0, worst_bf16 = 0;
  for (const Case& c : cases()) {
    const NodeSpec node = make_attention(c);
    const OperandValues values = made_up_operands(node);
    KernelTrial trial(node, make(node), values);
    trial.run();
    EXPECT_EQ(trial.damage(), "") << node.key();
    worst = std::max(worst, worst_difference(trial.output(), plain(c, node, values)));

    const NodeSpec narrow = with_activations(node, DType::kBF16);
    const OperandValues narrow_values = made_up_operands(narrow);
    KernelTrial narrow_trial(narrow, make(narrow), narrow_values);
    narrow_trial.run();
    EXPECT_EQ(narrow_trial.damage(), "") << narrow.key();
    worst_bf16 =
        std::max(worst_bf16, worst_difference(narrow_trial.output(), plain(c, narrow, narrow_values)));
  }
  // Values are of the order of 1; f32 as measured with a margin, bf16 half an ulp of a value up to 4.
  std::printf(
      "attention against double precision: worst %.2g f32 (tolerance 3e-6), %.2g bf16 (tolerance 0.008)\n",
      worst, worst_bf16);
  EXPECT_LT(worst, 3e-6);
  EXPECT_LT(worst_bf16, 0.008);
}

TEST(FlashAttention, BitsDoNotDependOnTheNumberOfThreads) {
  const int before = thread_count();
  for (const Case& c : cases()) {
    const NodeSpec node = make_attention(c);
    const OperandValues values = made_up_operands(node);
    std::vector<std::byte> expected;
    for (const int threads : {1, 2, 3, 4}) {
      set_thread_count(threads);
      KernelTrial trial(node, make(node), values);
      trial.run();
      if (threads == 1) expected = trial.output_bytes();
      EXPECT_EQ(trial.output_bytes(), expected) << node.key() << " with " << threads << " threads";
      EXPECT_EQ(trial.damage(), "");
    }
  }
  set_thread_count(before);
}

// Scores of thousands, rising and falling from block to block.
TEST(FlashAttention, LargeScoresNeitherOverflowNorLoseTheHighest) {
  const Case c{1, 70, 400, 1, 16, 16};
  const NodeSpec node = make_attention(c, 300.0F);
  OperandValues values = made_up_operands(node);
  for (float& value : values[0]) value = std::round(value * 4) / 4;  // scores come out exact
  for (float& value : values[1]) value = std::round(value * 4) / 4;
  KernelTrial trial(node, make(node), values);
  trial.run();
  EXPECT_LT(worst_difference(trial.output(), plain(c, node, values)), 2e-3);
}

std::vector<float> run(const NodeSpec& node, const OperandValues& values) {
  KernelTrial trial(node, make(node), values);
  trial.run();
  return trial.output();
}

// In F32 and in BF16, against double precision. Values must be numbers that BF16 has.
void expect_agreement(const Case& c, const NodeSpec& node, const OperandValues& values) {
  const std::vector<float> expected = plain(c, node, values);
  EXPECT_LT(worst_difference(run(node, values), expected), 1e-4);
  EXPECT_LT(worst_difference(run(with_activations(node, DType::kBF16), values), expected), 0.03);
}

// Scores of several blocks of keys, moved up by `lift(key)` at no loss of digits.
template <typename Lift>
void expect_agreement_when_lifted(const Lift& lift) {
  const Case c{1, 40, 400, 1, 16, 16};
  const NodeSpec node = make_attention(c, 0.25F);
  OperandValues values = made_up_operands(with_activations(node, DType::kBF16));
  for (int64_t query = 0; query < c.queries; ++query) values[0][query * c.size] = 64;
  for (int64_t key = 0; key < c.keys; ++key) values[1][key * c.size] = lift(key);
  expect_agreement(c, node, values);
}

TEST(FlashAttention, FollowsScoresThatRiseFromBlockToBlock) {
  expect_agreement_when_lifted([](int64_t key) { return static_cast<float>(key / 100 * 16); });
}

TEST(FlashAttention, FollowsScoresThatFallFromBlockToBlock) {
  expect_agreement_when_lifted([](int64_t key) { return -static_cast<float>(key / 100 * 16); });
}

TEST(FlashAttention, WeighsScoresThatAreAllFarBelowZero) {
  expect_agreement_when_lifted([](int64_t) { return -100.0F; });
}

TEST(FlashAttention, WeighsScoresThatAreAllFarAboveZero) {
  expect_agreement_when_lifted([](int64_t) { return 100.0F; });
}

// Neighbours in a panel, one with scores for which its offset has to move, one that is no number.
TEST(FlashAttention, QueriesDoNotDependOnTheirNeighbours) {
  const Case c{1, 64, 300, 1, 16, 16};
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const NodeSpec node = with_activations(make_attention(c), type);
    OperandValues values = made_up_operands(node);
    const std::vector<float> before = run(node, values);
    for (int64_t i = 0; i < c.size; ++i) {
      values[0][3 * c.size + i] *= 4096;
      values[0][40 * c.size + i] = NAN;
    }
    const std::vector<float> after = run(node, values);
    for (int64_t query = 0; query < c.queries; ++query) {
      for (int64_t i = query * c.size; i < (query + 1) * c.size; ++i) {
        if (query == 40) {
          EXPECT_TRUE(std::isnan(after[i]));
        } else if (query != 3) {
          EXPECT_EQ(after[i], before[i]) << "query " << query;
        }
      }
    }
    EXPECT_FALSE(std::isnan(after[3 * c.size]));
  }
}

TEST(FlashAttention, CausalQueriesDoNotDependOnLaterKeys) {
  const Case c{1, 200, 200, 1, 16, 16, true};
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const NodeSpec node = with_activations(make_attention(c), type);
    OperandValues values = made_up_operands(node);
    const std::vector<float> before = run(node, values);
    for (int64_t i = 150 * c.size; i < 200 * c.size; ++i) values[1][i] *= 4096;
    const std::vector<float> after = run(node, values);
    for (int64_t i = 0; i < 150 * c.size; ++i) ASSERT_EQ(after[i], before[i]) << "query " << i / c.size;
  }
}

TEST(FlashAttention, DeclinesOtherElementTypes) {
  NodeSpec node = make_attention({1, 4, 4, 1, 8, 8});
  node.output.dtype = DType::kF16;
  std::string reason;
  EXPECT_EQ(make_flash_attention(node, reason), nullptr);
  EXPECT_NE(reason, "");
}

}  // namespace
}  // namespace snug
