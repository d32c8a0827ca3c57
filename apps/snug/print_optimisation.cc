#include "apps/snug/print_optimisation.h"

#include <algorithm>

#include <fmt/format.h>

#include "apps/snug/print_advice.h"
#include "apps/snug/print_error.h"
#include "base/units.h"

namespace snug::cli {

void print_analysis(const RecordAnalysis& analysis, int64_t hours) {
  fmt::print(
      "{} jobs of the last {} h: {} failed, {} from the cache, {} found their weights in memory; measured\n",
      analysis.jobs, hours, analysis.failed, analysis.cached, analysis.kept);
  for (const auto& [stage, seconds] : analysis.stage_seconds) {
    if (analysis.total_seconds <= 0 || seconds <= 0) continue;
    fmt::print("  {:<10}{:>10}{:>7.1f} %\n", stage, format_seconds(seconds),
               seconds / analysis.total_seconds * 100);
  }
  for (const auto& [kind, bytes] : analysis.peak_kind_bytes)
    fmt::print("  {:<10}{:>10} at the newest run's peak, planned\n", kind,
               format_bytes(static_cast<uint64_t>(bytes)));
  print_advice(analysis.advice, hours);
}

void print_benchmark(const BenchmarkResult& benchmark, const OptimiserWeights& weights) {
  fmt::print(
      "{} {}jobs a sample, median seconds of a job; weights: time {:.2f}, memory {:.2f}, quality {:.2f}\n",
      benchmark.jobs, benchmark.made_up ? "made-up " : "", weights.time, weights.memory, weights.quality);
  fmt::print("  {:<28}{:>9}  {:<22}{:>10}{:>8}{:>8}  {}\n", "configuration", "median", "interval", "peak",
             "SSIM", "score", "Pareto");
  for (size_t i = 0; i < benchmark.variants.size(); ++i) {
    const BenchmarkVariant& variant = benchmark.variants[i];
    if (variant.samples.empty()) {
      fmt::print("  {:<28}not measured: {}\n", printable(variant.name),
                 printable(variant.problem.empty() ? "no time was left" : variant.problem));
      continue;
    }
    const std::string interval =
        fmt::format("{} to {}", format_seconds(variant.seconds.low), format_seconds(variant.seconds.high));
    fmt::print("  {:<28}{:>9}  {:<22}{:>10}{:>8.4f}{:>8.3f}  {}{}\n", printable(variant.name),
               format_seconds(variant.seconds.median), interval,
               format_bytes(static_cast<uint64_t>(std::max(0.0, variant.peak_bytes.median))), variant.ssim,
               variant.score, variant.on_front ? "*" : " ", i == benchmark.winner ? " wins" : "");
  }
  const BenchmarkVariant& winner = benchmark.variants[benchmark.winner];
  fmt::print("an interval holds the median with {:.1f} % here ({} samples)\n", winner.seconds.coverage * 100,
             winner.samples.size());
}

void print_applied(const std::optional<AppliedWinner>& applied) {
  if (!applied) {
    fmt::print("nothing is better than the present configuration, which stays\n");
    return;
  }
  const MeasuredEffect& effect = applied->effect;
  fmt::print("checked in {} pairs: {} → {} a job, score {:.3f} → {:.3f}: {}\n", effect.pairs,
             format_seconds(effect.before), format_seconds(effect.after), applied->score_before,
             applied->score_after,
             effect.kept ? "kept; it holds from the next start of the service on"
                         : "not better, the configuration is as it was");
  if (effect.kept && !effect.backup.empty()) fmt::print("before: {}\n", printable(effect.backup));
}

}  // namespace snug::cli
