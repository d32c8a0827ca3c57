// The full report of `snug optimize`: one JSON object (docs/optimize-report.schema.json) and, made from it
// alone, the same as Markdown and as an HTML page with plots in SVG and nothing loaded from elsewhere. Called
// by optimize_command.cc. Pure.
#pragma once

#include <optional>
#include <string>

#include "monitor/advice/optimiser.h"

namespace snug {

struct OptimiserReport {
  int64_t at_ms = 0;
  std::string machine, version;
  double window_hours = 24;
  OptimiserWeights weights;
  RecordAnalysis analysis;
  std::optional<BenchmarkResult> benchmark;
  std::optional<AppliedWinner> applied;
};

inline constexpr const char* kOptimiserReportForm = "snug-optimize-1";

nlohmann::ordered_json report_json(const OptimiserReport& report);
std::string report_markdown(const nlohmann::ordered_json& report);
std::string report_html(const nlohmann::ordered_json& report);

}  // namespace snug
