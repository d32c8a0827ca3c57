// --precision auto follows measured rates where there are any, never a budget, and says why.
#include "pipeline/choose_precision.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "pipeline/validate_request.h"

namespace snug {
namespace {

// A backend as the CPU's, that computes in what the test says.
class SomePrecisions final : public Backend {
 public:
  explicit SomePrecisions(std::vector<DType> precisions) : precisions_(std::move(precisions)) {}
  std::string_view name() const override { return "some"; }
  KernelChoice choose(const NodeSpec& node) const override { return cpu_backend().choose(node); }
  std::vector<DType> precisions() const override { return precisions_; }
  std::vector<std::pair<std::string, std::string>> describe() const override { return {}; }

 private:
  std::vector<DType> precisions_;
};

class ChoosePrecision : public ::testing::Test {
 protected:
  ChoosePrecision() {
    fields_.prompt = "a house";
    fields_.precision = "auto";
    fields_.seed = 1;
  }
  // A request with rates of that source, BF16 that many times as fast as F32.
  Request settled(const Backend& backend, RatesSource source, double bf16_ratio) const {
    const auto model = open_model(fields_);
    Rates rates = built_in_rates("avx2", 2);
    rates.source = source;
    for (size_t kind = 0; kind < kWorkKinds; ++kind) {
      rates.bf16_flops[kind] = bf16_ratio * rates.f32_flops[kind];
    }
    if (source != RatesSource::kBuiltIn) {
      rates.calibrated = {rates.f32_flops, rates.bf16_flops, rates.memory_bytes};
    }
    if (source == RatesSource::kRefined) rates.bf16_flops.fill(1e9);
    Request request = validate_request(fields_, *model, backend);
    settle_precision(request, *model, backend, rates);
    return request;
  }
  RequestFields fields_;
  const SomePrecisions both_{{DType::kBF16, DType::kF32}};
};

TEST_F(ChoosePrecision, FollowsMeasuredRates) {
  EXPECT_EQ(settled(both_, RatesSource::kMeasured, 4).precision, DType::kBF16);
  EXPECT_EQ(settled(both_, RatesSource::kMeasured, 0.5).precision, DType::kF32);
  EXPECT_EQ(settled(both_, RatesSource::kScaled, 0.5).precision, DType::kF32);
  const std::string reason = settled(both_, RatesSource::kMeasured, 4).precision_reason;
  EXPECT_NE(reason.find("measured"), std::string::npos) << reason;
}

// Else a run on a busy machine, which refines the rates of its own type alone, would change the next picture.
TEST_F(ChoosePrecision, RunsThatRefineOneTypeChangeNothing) {
  EXPECT_EQ(settled(both_, RatesSource::kRefined, 4).precision, DType::kBF16);
}

TEST_F(ChoosePrecision, WithoutRatesFollowsTheInstructionSet) {
  EXPECT_EQ(settled(both_, RatesSource::kBuiltIn, 0.5).precision, DType::kBF16);
  const SomePrecisions f32_first{{DType::kF32, DType::kBF16}};
  EXPECT_EQ(settled(f32_first, RatesSource::kBuiltIn, 4).precision, DType::kF32);
}

TEST_F(ChoosePrecision, TakesNoneThatTheBackendLacks) {
  const SomePrecisions f32_alone{{DType::kF32}};
  const Request request = settled(f32_alone, RatesSource::kMeasured, 4);
  EXPECT_EQ(request.precision, DType::kF32);
  EXPECT_FALSE(request.precision_reason.empty());
}

TEST_F(ChoosePrecision, ABudgetChangesNothing) {
  for (const double ratio : {0.5, 1.0, 4.0}) {
    fields_.memory.reset();
    const Request free = settled(both_, RatesSource::kMeasured, ratio);
    fields_.memory = "40MiB";
    const Request tight = settled(both_, RatesSource::kMeasured, ratio);
    EXPECT_EQ(free.precision, tight.precision) << ratio;
    EXPECT_EQ(free.precision_reason, tight.precision_reason) << ratio;
  }
}

TEST_F(ChoosePrecision, PrecisionIsNotGivenUpForLittle) {
  EXPECT_FALSE(narrower_wins(1.0, 0.95));
  EXPECT_TRUE(narrower_wins(1.0, 0.85));
}

TEST_F(ChoosePrecision, WhatTheUserChoseStays) {
  fields_.precision = "f32";
  const Request request = settled(both_, RatesSource::kMeasured, 4);
  EXPECT_EQ(request.precision, DType::kF32);
  EXPECT_EQ(request.precision_reason, "");
}

}  // namespace
}  // namespace snug
