// What `snug optimize` found, as people read it; scripts take report_json
// (monitor/advice/optimiser_report.h).
#pragma once

#include "monitor/advice/optimiser_report.h"

namespace snug::cli {

void print_analysis(const RecordAnalysis& analysis, int64_t hours);
void print_benchmark(const BenchmarkResult& benchmark, const OptimiserWeights& weights);
void print_applied(const std::optional<AppliedWinner>& applied);

}  // namespace snug::cli
