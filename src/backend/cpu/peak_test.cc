// Measured limits are limits: nothing that this machine just did is faster.
#include "backend/cpu/peak.h"

#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "base/parallel.h"
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

// The best of several attempts on either side: a busy machine can spoil one for a while, here or there.
TEST(PeakRates, AreAtLeastWhatProductsReach) {
  cpu_backend();  // settles the instruction set
  const bool has_bf16 = used_isa() >= Isa::kAvx512Bf16;
  const int threads = thread_count();
  set_thread_count(1);  // of which others disturb the best samples least
  PeakRates peak;
  double f32_product = 0, bf16_product = 0;
  const auto holds = [&] {
    return peak.f32_flops * kSlack >= f32_product && peak.bf16_flops * kSlack >= bf16_product;
  };
  for (int attempt = 0; attempt < 10 && (attempt == 0 || !holds()); ++attempt) {
    const PeakRates now = measure_peak_rates(kSeconds);
    peak.f32_flops = std::max(peak.f32_flops, now.f32_flops);
    peak.bf16_flops = std::max(peak.bf16_flops, now.bf16_flops);
    f32_product = std::max(f32_product, product_rate(DType::kF32));
    if (has_bf16) bf16_product = std::max(bf16_product, product_rate(DType::kBF16));
  }
  set_thread_count(threads);
  std::printf("peak %s: f32 %.1f GFLOP/s, bf16 %.1f GFLOP/s, of one thread\n",
              std::string(isa_name(used_isa())).c_str(), peak.f32_flops / 1e9, peak.bf16_flops / 1e9);
  EXPECT_GE(peak.f32_flops * kSlack, f32_product);
  EXPECT_GE(peak.bf16_flops * kSlack, bf16_product);
  EXPECT_EQ(peak.bf16_flops > 0, has_bf16);  // else no kernel uses any
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
