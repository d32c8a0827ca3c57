// Guessed rates are ordered as machines are, and refined ones approach the truth without overshooting it.
#include "plan/rates.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace snug {
namespace {

constexpr auto kConvolution = static_cast<size_t>(WorkKind::kConvolution);
constexpr auto kMemory = static_cast<size_t>(WorkKind::kMemory);

WorkSeconds one_kind(size_t kind, double predicted, double actual) {
  WorkSeconds seconds;
  seconds.predicted[kind] = predicted;
  seconds.actual[kind] = actual;
  return seconds;
}

TEST(Rates, GuessesGrowWithInstructionSetAndThreads) {
  double last = 0;
  for (const char* name : {"", "baseline", "avx2", "avx512"}) {
    const Rates rates = built_in_rates(name, 1);
    EXPECT_GT(rates.f32_flops[kConvolution], last) << name;
    last = rates.f32_flops[kConvolution];
  }
  EXPECT_GT(built_in_rates("avx512_bf16", 1).bf16_flops[0], last);
  EXPECT_DOUBLE_EQ(built_in_rates("avx2", 8).f32_flops[0], 8 * built_in_rates("avx2", 1).f32_flops[0]);
  EXPECT_EQ(built_in_rates("avx2", 0).threads, 1);
  EXPECT_EQ(built_in_rates("avx2", 2).source, RatesSource::kBuiltIn);
}

TEST(Rates, RefiningApproachesWhatRunsTake) {
  Rates rates = built_in_rates("avx2", 2);
  rates.f32_flops[kConvolution] = 100e9;
  const double truth = 40e9;  // and a run of 100 GFLOP
  for (int run = 0; run < 12; ++run) {
    const double predicted = 100e9 / rates.f32_flops[kConvolution];
    rates = refine(rates, DType::kF32, one_kind(kConvolution, predicted, 100e9 / truth));
    EXPECT_GE(rates.f32_flops[kConvolution], truth * 0.999);
  }
  EXPECT_NEAR(rates.f32_flops[kConvolution], truth, 0.01 * truth);
  EXPECT_EQ(rates.source, RatesSource::kRefined);
}

TEST(Rates, OneRunChangesARateByAtMostTwo) {
  const Rates rates = built_in_rates("avx2", 2);
  const Rates slower = refine(rates, DType::kBF16, one_kind(kConvolution, 1, 1e6));
  EXPECT_DOUBLE_EQ(slower.bf16_flops[kConvolution], rates.bf16_flops[kConvolution] / 2);
  EXPECT_EQ(slower.f32_flops, rates.f32_flops);
  const Rates faster = refine(rates, DType::kF32, one_kind(kMemory, 1e6, 1));
  EXPECT_DOUBLE_EQ(faster.memory_bytes, rates.memory_bytes * 2);
}

TEST(Rates, WhatIsNoMeasurementChangesNothing) {
  const Rates rates = built_in_rates("avx2", 2);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [predicted, actual] :
       {std::pair(0.0, 1.0), std::pair(1.0, 0.0), std::pair(1.0, -1.0), std::pair(nan, 1.0),
        std::pair(1.0, infinity), std::pair(1e-5, 1e-4)}) {
    const Rates same = refine(rates, DType::kF32, one_kind(kConvolution, predicted, actual));
    EXPECT_EQ(same.f32_flops, rates.f32_flops);
    EXPECT_EQ(same.source, RatesSource::kBuiltIn);
  }
}

}  // namespace
}  // namespace snug
