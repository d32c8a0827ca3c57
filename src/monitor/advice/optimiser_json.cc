#include <cmath>

#include <nlohmann/json.hpp>

#include "monitor/advice/optimiser.h"

namespace snug {

using nlohmann::ordered_json;

namespace {

ordered_json interval_json(const MedianInterval& interval) {
  return {{"median", interval.median},
          {"low", interval.low},
          {"high", interval.high},
          {"coverage", interval.coverage}};
}

ordered_json variant_json(const BenchmarkVariant& variant, bool wins) {
  const bool measured = !variant.samples.empty();
  ordered_json actions = ordered_json::array();
  for (const Action& action : variant.actions) actions.push_back(to_json(action));
  return {{"name", variant.name},
          {"actions", actions},
          {"problem", variant.problem.empty() ? ordered_json() : ordered_json(variant.problem)},
          {"samples_seconds", variant.samples},
          {"seconds", measured ? interval_json(variant.seconds) : ordered_json()},
          {"peak_bytes", variant.peak_samples.empty() ? ordered_json() : interval_json(variant.peak_bytes)},
          {"ssim", measured ? ordered_json(variant.ssim) : ordered_json()},
          {"psnr_db", variant.psnr_db ? ordered_json(*variant.psnr_db) : ordered_json()},
          {"failed_jobs", variant.failed},
          {"score", std::isfinite(variant.score) ? ordered_json(variant.score) : ordered_json()},
          {"pareto", variant.on_front},
          {"wins", wins}};
}

}  // namespace

ordered_json to_json(const RecordAnalysis& analysis) {
  ordered_json stages = ordered_json::array(), kinds = ordered_json::array();
  for (const auto& [stage, seconds] : analysis.stage_seconds) {
    stages.push_back({{"stage", stage},
                      {"seconds", seconds},
                      {"share", analysis.total_seconds > 0 ? ordered_json(seconds / analysis.total_seconds)
                                                           : ordered_json()}});
  }
  for (const auto& [kind, bytes] : analysis.peak_kind_bytes)
    kinds.push_back({{"kind", kind}, {"bytes", bytes}});
  return {{"jobs", analysis.jobs},
          {"failed_jobs", analysis.failed},
          {"cached_jobs", analysis.cached},
          {"kept_runs", analysis.kept},
          {"total_seconds", analysis.total_seconds},
          {"stages", stages},
          {"peak_kinds", kinds},
          {"advice", to_json(analysis.advice)}};
}

ordered_json to_json(const BenchmarkResult& benchmark) {
  ordered_json variants = ordered_json::array();
  for (size_t i = 0; i < benchmark.variants.size(); ++i)
    variants.push_back(variant_json(benchmark.variants[i], i == benchmark.winner));
  return {{"jobs", benchmark.jobs},
          {"made_up", benchmark.made_up},
          {"winner", benchmark.variants[benchmark.winner].name},
          {"variants", variants}};
}

ordered_json to_json(const AppliedWinner& applied) {
  ordered_json json = to_json(applied.effect, AdviceFigure::kMeanJobSeconds);
  json["score_before"] = applied.score_before;
  json["score_after"] = applied.score_after;
  json["rolled_back"] = !applied.effect.kept;
  return json;
}

}  // namespace snug
