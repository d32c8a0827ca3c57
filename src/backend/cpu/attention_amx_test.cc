// Attention's tiles by AMX, through the table that attention.cc calls. On a machine without AMX its tile
// instructions are decoded and emulated (AmxTrap); it needs one with AVX-512 BF16, which the rest is.
#include "backend/cpu/attention_amx.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "backend/cpu/amx_trap.h"
#include "backend/cpu/guarded_memory.h"
#include "backend/cpu/isa.h"
#include "tensor/convert.h"

namespace snug {
namespace {

constexpr int64_t kPanel = 32;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows of BF16 with NaN between them, where nothing may be read.
class Rows {
 public:
  Rows(int64_t count, int64_t channels, float size, std::mt19937& random)
      : stride_(channels + 3),
        count_(count),
        channels_(channels),
        memory_(static_cast<size_t>((count - 1) * stride_ + channels) * 2) {
    std::fill_n(memory_.as<uint16_t>(), (count - 1) * stride_ + channels, f32_to_bf16(std::nanf("")));
    std::uniform_real_distribution<float> values(-size, size);
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t c = 0; c < channels; ++c) at(r, c) = f32_to_bf16(values(random));
    }
  }
  uint16_t& at(int64_t row, int64_t channel) { return memory_.as<uint16_t>()[row * stride_ + channel]; }
  double value(int64_t row, int64_t channel) const {
    return static_cast<double>(bf16_to_f32(memory_.as<uint16_t>()[row * stride_ + channel]));
  }
  HeadRows call() const { return {memory_.data(), stride_ * 2, count_, channels_}; }
  int64_t count() const { return count_; }

 private:
  int64_t stride_, count_, channels_;
  GuardedMemory memory_;
};

struct Case {
  int64_t queries = 0, keys = 0, key_channels = 0, value_channels = 0;
  bool causal = false;
  int64_t first_seen = 0;
};

// One panel against one block, in memory that ends where the table says.
class Block {
 public:
  Block(const Case& c, std::mt19937& random)
      : case_(c),
        q(c.queries, c.key_channels, 1, random),
        k(c.keys, c.key_channels, 1, random),
        v(c.keys, c.value_channels, 1, random),
        queries_(bytes(tiles_.query_bytes(c.key_channels))),
        keys_(bytes(tiles_.key_bytes(c.keys, c.key_channels))),
        values_(bytes(tiles_.value_bytes(c.keys, c.value_channels))),
        weights_(bytes(tiles_.weight_bytes(c.keys))),
        results_(bytes(c.value_channels * kPanel * 4)) {
    std::memset(queries_.data(), 0xff, static_cast<size_t>(queries_.end() - queries_.data()));
    std::memset(weights_.data(), 0xff, static_cast<size_t>(weights_.end() - weights_.data()));
    std::fill_n(results_.as<float>(), c.value_channels * kPanel, std::nanf(""));
    for (size_t i = 0; i < kPanel; ++i) offsets[i] = static_cast<float>(i % 5) - 2;
  }

  ScoreCall score_call() {
    ScoreCall call;
    call.queries = queries_.data();
    call.keys = keys_.data();
    call.key_count = case_.keys;
    call.channels = case_.key_channels;
    call.scale = scale;
    call.offsets = offsets.data();
    call.causal = case_.causal;
    call.first_seen = case_.first_seen;
    call.weights = weights_.data();
    call.answers = answers.data();
    return call;
  }
  void pack() {
    tiles_.pack_queries(q.call(), scale, queries_.data());
    tiles_.pack_keys(k.call(), keys_.data());
    tiles_.pack_values(v.call(), values_.data());
  }
  void weigh() { tiles_.weigh(score_call()); }
  void find_maxima() { tiles_.find_maxima(score_call()); }
  void add_values(bool first) {
    tiles_.add_values({weights_.data(), values_.data(), case_.keys, case_.value_channels, first, results()});
  }
  float* results() const { return results_.as<float>(); }

  // In powers of two; absent queries are zeros. NaN-free.
  double score(int64_t query, int64_t key) const {
    if (case_.causal && key > case_.first_seen + query) return -INFINITY;
    double sum = 0;
    for (int64_t c = 0; query < case_.queries && c < case_.key_channels; ++c) {
      sum += q.value(query, c) * k.value(key, c);
    }
    return sum * static_cast<double>(scale);
  }
  double weight(int64_t query, int64_t key) const {
    return std::exp2(score(query, key) - static_cast<double>(offsets[static_cast<size_t>(query)]));
  }
  // As weigh left it: [key pair][query][2].
  double stored_weight(int64_t query, int64_t key) const {
    return static_cast<double>(
        bf16_to_f32(weights_.as<uint16_t>()[(key / 2 * kPanel + query) * 2 + key % 2]));
  }
  int64_t padded_keys() const { return (weights_.end() - weights_.data()) / (2 * kPanel); }

 private:
  static size_t bytes(int64_t count) { return static_cast<size_t>(count); }

  Case case_;
  AttentionTiles tiles_ = amx_attention_tiles();

 public:
  Rows q, k, v;
  float scale = 0.3F;
  std::array<float, kPanel> offsets = {}, answers = {};

 private:
  GuardedMemory queries_, keys_, values_, weights_, results_;
};

class AttentionAmx : public testing::Test {
 protected:
  void SetUp() override {
    if (used_isa() < Isa::kAvx512Bf16) GTEST_SKIP() << "no AVX-512 BF16 in use";
  }

  std::mt19937 random_{7};
  AmxTrap trap_;
};

std::vector<Case> cases() {
  return {{32, 128, 40, 40, false, 0}, {32, 77, 40, 40, false, 0},  {32, 64, 64, 64, false, 0},
          {5, 33, 80, 80, false, 0},   {1, 1, 1, 1, false, 0},      {17, 48, 160, 24, false, 0},
          {32, 31, 33, 17, false, 0},  {32, 96, 32, 32, true, 40},  {32, 65, 40, 8, true, 0},
          {20, 64, 16, 15, true, -10}, {32, 16, 512, 48, false, 0}, {32, 128, 3, 2, true, 200}};
}

std::string name(const Case& c) {
  return testing::PrintToString(c.queries) + " queries, " + testing::PrintToString(c.keys) + " keys of " +
         testing::PrintToString(c.key_channels) + " channels, values of " +
         testing::PrintToString(c.value_channels) + (c.causal ? ", causal" : "");
}

TEST_F(AttentionAmx, WeightsArePowersOfTheScores) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(name(c));
    Block block(c, random_);
    block.pack();
    block.weigh();
    for (int64_t query = 0; query < kPanel; ++query) {
      double sum = 0;
      for (int64_t key = 0; key < c.keys; ++key) {
        const double weight = block.weight(query, key);
        sum += block.stored_weight(query, key);
        ASSERT_NEAR(block.stored_weight(query, key), weight, 0.0041 * weight) << query << " " << key;
      }
      for (int64_t key = c.keys; key < block.padded_keys(); ++key) {
        ASSERT_EQ(block.stored_weight(query, key), 0) << query << " " << key;
      }
      ASSERT_NEAR(static_cast<double>(block.answers[static_cast<size_t>(query)]), sum, 1e-6 * sum) << query;
    }
  }
}

TEST_F(AttentionAmx, MaximaAreTheHighestScores) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(name(c));
    Block block(c, random_);
    block.offsets.fill(std::nanf(""));  // must not be used
    block.pack();
    block.find_maxima();
    for (int64_t query = 0; query < kPanel; ++query) {
      double highest = -INFINITY;
      for (int64_t key = 0; key < c.keys; ++key) highest = std::max(highest, block.score(query, key));
      const auto found = static_cast<double>(block.answers[static_cast<size_t>(query)]);
      if (std::isinf(highest)) {
        ASSERT_EQ(found, highest);
      } else {
        ASSERT_NEAR(found, highest, 1e-4) << query;
      }
    }
  }
}

TEST_F(AttentionAmx, ResultsAddUpWeightedValues) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(name(c));
    Block block(c, random_);
    block.pack();
    block.weigh();
    block.add_values(true);
    block.add_values(false);
    for (int64_t channel = 0; channel < c.value_channels; ++channel) {
      for (int64_t query = 0; query < kPanel; ++query) {
        double sum = 0, size = 0;
        for (int64_t key = 0; key < c.keys; ++key) {
          const double product = block.stored_weight(query, key) * block.v.value(key, channel);
          sum += product;
          size += std::fabs(product);
        }
        ASSERT_NEAR(static_cast<double>(block.results()[channel * kPanel + query]), 2 * sum, 4e-6 * size)
            << channel << " " << query;
      }
    }
  }
}

TEST_F(AttentionAmx, WrittenRowsAreTheSoftmaxOfTheDefinition) {
  const Case c = {21, 77, 40, 40, false, 0};
  Block block(c, random_);
  block.pack();
  block.weigh();
  block.add_values(true);
  std::array<float, kPanel> factors = {};
  for (size_t i = 0; i < kPanel; ++i) factors[i] = 1 / block.answers[i];
  std::vector<uint16_t> out(21 * 50, 7);
  amx_attention_tiles().write_results(block.results(), factors.data(), 21, 40,
                                      reinterpret_cast<std::byte*>(out.data()), 100);
  for (int64_t query = 0; query < 21; ++query) {
    for (int64_t channel = 0; channel < 50; ++channel) {
      const uint16_t written = out[static_cast<size_t>(query * 50 + channel)];
      if (channel >= 40) {
        ASSERT_EQ(written, 7) << "beyond the head's channels";
        continue;
      }
      double sum = 0, all = 0;
      for (int64_t key = 0; key < 77; ++key) {
        all += block.weight(query, key);
        sum += block.weight(query, key) * block.v.value(key, channel);
      }
      ASSERT_NEAR(static_cast<double>(bf16_to_f32(written)), sum / all, 3e-3) << query << " " << channel;
    }
  }
}

// What a query gets must not depend on who shares its panel, or where in it the query is.
TEST_F(AttentionAmx, BitsOfAQueryDependOnNoOther) {
  Block block({32, 90, 40, 40, false, 0}, random_), turned({32, 90, 40, 40, false, 0}, random_);
  block.offsets.fill(1);
  turned.offsets.fill(1);
  for (int64_t key = 0; key < 90; ++key) {
    for (int64_t c = 0; c < 40; ++c) {
      turned.k.at(key, c) = block.k.at(key, c);
      turned.v.at(key, c) = block.v.at(key, c);
    }
  }
  for (int64_t c = 0; c < 40; ++c) {
    turned.q.at(29, c) = block.q.at(3, c);
    turned.q.at(7, c) = f32_to_bf16(kInfinity);
  }
  for (Block* b : {&block, &turned}) {
    b->pack();
    b->weigh();
    b->add_values(true);
  }
  EXPECT_EQ(turned.answers[29], block.answers[3]);
  for (int64_t c = 0; c < 40; ++c)
    EXPECT_EQ(turned.results()[c * kPanel + 29], block.results()[c * kPanel + 3]);
}

TEST_F(AttentionAmx, ScoresFarAboveTheOffsetShowInTheSum) {
  Block block({3, 40, 32, 32, false, 0}, random_);
  for (int64_t c = 0; c < 32; ++c) {
    block.q.at(0, c) = f32_to_bf16(100.0F);
    block.k.at(35, c) = f32_to_bf16(1.0F);
    block.q.at(1, c) = f32_to_bf16(std::nanf(""));
  }
  block.pack();
  block.weigh();
  EXPECT_EQ(block.answers[0], kInfinity);
  EXPECT_TRUE(std::isnan(block.answers[1]));
  EXPECT_TRUE(std::isfinite(block.answers[2]));
}

}  // namespace
}  // namespace snug
