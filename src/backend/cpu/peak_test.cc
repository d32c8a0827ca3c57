// Measured limits are limits: nothing that this machine just did is faster.
#include "backend/cpu/peak.h"

#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "base/stopwatch.h"

namespace snug {
namespace {

constexpr double kSeconds = 0.05;
// Clocks and neighbours change between two measurements.
constexpr double kSlack = 1.15;

double product_rate(DType dtype) {
  constexpr int64_t kRows = 512, kChannels = 512;
  const NodeSpec node = with_activations(make_node(Op::kLinear, LinearAttrs{},
                                                   {{DType::kF32, {kRows, kChannels}},
                                                    {DType::kBF16, {kChannels, kChannels}, true, true},
                                                    {DType::kF32, {kChannels}, true, true},
                                                    {DType::kF32, {}, false}}),
                                         dtype);
  KernelTrial trial(node, cpu_backend().choose(node).kernel, made_up_operands(node));
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    const Stopwatch watch;
    trial.run_only();
    best = std::max(best, 2.0 * kRows * kChannels * kChannels / watch.seconds());
  }
  return best;
}

TEST(PeakRates, AreAtLeastWhatProductsReach) {
  const PeakRates peak = measure_peak_rates(kSeconds);
  std::printf("peak %s: f32 %.1f GFLOP/s, bf16 %.1f GFLOP/s, copy %.1f GB/s\n",
              std::string(isa_name(used_isa())).c_str(), peak.f32_flops / 1e9, peak.bf16_flops / 1e9,
              peak.copy_bytes / 1e9);
  EXPECT_GE(peak.f32_flops * kSlack, product_rate(DType::kF32));
  if (used_isa() >= Isa::kAvx512Bf16) {
    EXPECT_GE(peak.bf16_flops * kSlack, product_rate(DType::kBF16));
  } else {
    EXPECT_EQ(peak.bf16_flops, 0);  // not measured: no kernel uses any
  }
}

TEST(PeakRates, AreWhatSomeMachineCouldDo) {
  const PeakRates peak = measure_peak_rates(kSeconds);
  EXPECT_GT(peak.f32_flops, 1e9);
  EXPECT_LT(peak.f32_flops, 1e15);
  EXPECT_GT(peak.copy_bytes, 1e8);
  EXPECT_LT(peak.copy_bytes, 1e13);
}

}  // namespace
}  // namespace snug
