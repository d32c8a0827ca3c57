#include "plan/rates.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace snug {
namespace {

// F32 and BF16 FLOP/s of one core: a guess for servers of about 3 GHz, until `snug calibrate` has measured.
struct CoreRates {
  std::string_view instruction_set;
  double f32_flops, bf16_flops;
};
constexpr std::array kCores = {
    CoreRates{"baseline", 12e9, 12e9},     CoreRates{"avx2", 45e9, 45e9}, CoreRates{"avx512", 75e9, 75e9},
    CoreRates{"avx512_bf16", 75e9, 150e9}, CoreRates{"amx", 75e9, 150e9},
};
constexpr CoreRates kPlainLoops = {"", 1e9, 1e9};

// Attention's softmax and transposes leave it behind products.
constexpr double kAttentionShare = 0.6;
// Memory is shared: more cores than these do not get more of it.
constexpr int kMemoryCores = 4;

// How much of the way to what the last run says, in ratios: three runs make up most of a difference, and a
// run that something disturbed does little harm.
constexpr double kStep = 0.4;
constexpr double kMostFactor = 2;
constexpr double kLeastSeconds = 1e-3;

// What to multiply a rate by; 1 when the run does not tell.
double correction(double predicted, double actual) {
  const bool plausible = std::isfinite(predicted) && std::isfinite(actual) && predicted >= kLeastSeconds &&
                         actual >= kLeastSeconds;
  if (!plausible) return 1;
  return std::clamp(std::pow(predicted / actual, kStep), 1 / kMostFactor, kMostFactor);
}

}  // namespace

std::string_view work_kind_name(WorkKind kind) {
  switch (kind) {
    case WorkKind::kProduct: return "product";
    case WorkKind::kConvolution: return "convolution";
    case WorkKind::kAttention: return "attention";
    case WorkKind::kMemory: return "memory";
  }
  SNUG_CHECK(false, "every kind has a name");
}

std::string_view rates_source_name(RatesSource source) {
  switch (source) {
    case RatesSource::kBuiltIn: return "built_in";
    case RatesSource::kMeasured: return "measured";
    case RatesSource::kRefined: return "refined";
    case RatesSource::kScaled: return "scaled";
  }
  SNUG_CHECK(false, "every source has a name");
}

Rates built_in_rates(std::string_view instruction_set, int threads) {
  const auto* const found = std::find_if(kCores.begin(), kCores.end(), [&](const CoreRates& core) {
    return core.instruction_set == instruction_set;
  });
  const CoreRates core = found == kCores.end() ? kPlainLoops : *found;
  Rates rates;
  rates.threads = std::max(1, threads);
  const double cores = rates.threads;
  rates.f32_flops = {core.f32_flops * cores, core.f32_flops * cores, core.f32_flops * cores * kAttentionShare,
                     0};
  rates.bf16_flops = {core.bf16_flops * cores, core.bf16_flops * cores,
                      core.bf16_flops * cores * kAttentionShare, 0};
  rates.memory_bytes = 8e9 * std::min(rates.threads, kMemoryCores);
  rates.expand_elements = 1e9 * cores;
  rates.read_bytes = 4e9;
  rates.direct_read_bytes = 1e9;
  rates.spill_bytes = 0.5e9;
  rates.read_core_seconds = 0.25e-9;
  rates.kernel_seconds = 10e-6;
  return rates;
}

Rates scale_to_cores(const Rates& rates, double from_cores, double to_cores, int threads) {
  SNUG_CHECK(from_cores >= 1 && to_cores >= 1, "cores that compute");
  Rates scaled = rates;
  scaled.source = RatesSource::kScaled;
  scaled.threads = threads;
  const double factor = to_cores / from_cores;
  for (auto* flops :
       {&scaled.f32_flops, &scaled.bf16_flops, &scaled.calibrated.f32_flops, &scaled.calibrated.bf16_flops}) {
    for (double& rate : *flops) rate *= factor;
  }
  scaled.expand_elements *= factor;
  const double most = kMemoryCores;
  const double memory_factor = std::min(to_cores, most) / std::min(from_cores, most);
  scaled.memory_bytes *= memory_factor;
  scaled.calibrated.memory_bytes *= memory_factor;
  return scaled;
}

std::optional<Rates> as_calibrated(const Rates& rates) {
  if (rates.calibrated.memory_bytes <= 0) return std::nullopt;
  Rates measured = rates;
  measured.f32_flops = rates.calibrated.f32_flops;
  measured.bf16_flops = rates.calibrated.bf16_flops;
  measured.memory_bytes = rates.calibrated.memory_bytes;
  return measured;
}

Rates refine(const Rates& rates, DType precision, const WorkSeconds& seconds) {
  Rates refined = rates;
  auto& flops = precision == DType::kBF16 ? refined.bf16_flops : refined.f32_flops;
  bool changed = false;
  for (size_t kind = 0; kind < kWorkKinds; ++kind) {
    const double factor = correction(seconds.predicted[kind], seconds.actual[kind]);
    double& rate = kind == static_cast<size_t>(WorkKind::kMemory) ? refined.memory_bytes : flops[kind];
    rate *= factor;
    changed = changed || factor != 1;
  }
  if (changed) refined.source = RatesSource::kRefined;
  return refined;
}

}  // namespace snug
