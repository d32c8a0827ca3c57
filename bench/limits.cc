#include "bench/limits.h"

#include <algorithm>
#include <vector>

#include <dnnl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/cpu/isa.h"
#include "pipeline/measure_disk.h"

namespace snug::bench {
namespace {

constexpr double kDiskSeconds = 2;
constexpr int kProductRepeats = 3;

// So that SNUG_ISA compares like with like. oneDNN takes this until its first kernel, and not where its own
// settings forbid it.
void match_onednn_to_used_isa() {
  if (used_isa() == machine_isa()) return;
  const dnnl_cpu_isa_t most = used_isa() == Isa::kBaseline ? dnnl_cpu_isa_sse41
                              : used_isa() == Isa::kAvx2   ? dnnl_cpu_isa_avx2
                              : used_isa() == Isa::kAvx512 ? dnnl_cpu_isa_avx512_core
                                                           : dnnl_cpu_isa_avx512_core_bf16;
  static_cast<void>(dnnl_set_max_cpu_isa(most));
}

}  // namespace

double Limits::peak_flops(DType dtype) const {
  return dtype == DType::kBF16 && peak.bf16_flops > 0 ? peak.bf16_flops : peak.f32_flops;
}

F32Product::F32Product() : a_(kElements, 0.5F), b_(kElements, 0.25F), c_(kElements, 0) {}

void F32Product::run() {
  dnnl_sgemm('N', 'N', kSize, kSize, kSize, 1, a_.data(), kSize, b_.data(), kSize, 0, c_.data(), kSize);
}

double F32Product::flops() { return 2.0 * kSize * kSize * kSize; }

double f32_product_rate(int repeats, Clock clock) {
  F32Product product;
  Sampling sampling = Sampling::exactly(repeats);
  sampling.clock = clock;
  const auto seconds = sample_in_turn({[&] { product.run(); }}, sampling);
  return F32Product::flops() / least_of(seconds[0]);
}

Limits measure_limits(const LimitOptions& options) {
  match_onednn_to_used_isa();
  Limits limits;
  limits.peak = measure_peak_rates(options.seconds_each);
  limits.product_flops = f32_product_rate(kProductRepeats, options.product_clock);
  if (options.disk) {
    const DiskRates disk = measure_disk(options.file, kDiskSeconds);
    limits.read_bytes = disk.read_bytes;
    limits.direct_read_bytes = disk.direct_read_bytes;
  }
  return limits;
}

Bound bound_of(double flops, double bytes, DType dtype, const Limits& limits) {
  const double computing = flops / limits.peak_flops(dtype), moving = bytes / limits.peak.copy_bytes;
  if (moving > computing) return {"copy", moving};
  return {dtype == DType::kBF16 && limits.peak.bf16_flops > 0 ? "bf16" : "f32", computing};
}

nlohmann::ordered_json limits_json(const Limits& limits) {
  const auto known = [](std::optional<double> rate) {
    return rate.has_value() ? nlohmann::ordered_json(*rate) : nlohmann::ordered_json();
  };
  const double bf16 = limits.peak.bf16_flops;
  return {{"f32_flops_per_second", limits.peak.f32_flops},
          {"bf16_flops_per_second", known(bf16 > 0 ? std::optional(bf16) : std::nullopt)},
          {"copy_bytes_per_second", limits.peak.copy_bytes},
          {"f32_product_flops_per_second", limits.product_flops},
          {"read_bytes_per_second", known(limits.read_bytes)},
          {"direct_read_bytes_per_second", known(limits.direct_read_bytes)}};
}

std::string limits_line(const Limits& limits) {
  std::string line = fmt::format("measured limits: f32 {:.1f} GFLOP/s", limits.peak.f32_flops / 1e9);
  if (limits.peak.bf16_flops > 0) line += fmt::format(", bf16 {:.1f} GFLOP/s", limits.peak.bf16_flops / 1e9);
  line +=
      fmt::format(", copies {:.1f} GB/s read and written; the f32 4096³ product of oneDNN: {:.1f} GFLOP/s",
                  limits.peak.copy_bytes / 1e9, limits.product_flops / 1e9);
  if (limits.read_bytes)
    line += fmt::format("; files {:.2f} GB/s from the page cache", *limits.read_bytes / 1e9);
  if (limits.direct_read_bytes) line += fmt::format(", {:.2f} past it", *limits.direct_read_bytes / 1e9);
  return line;
}

}  // namespace snug::bench
