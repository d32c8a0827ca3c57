// Finds the configuration that suits this machine and its jobs best by trying: `snug optimize` and its
// stages. analyze() reads records and plans; benchmark() makes pictures with each setting changed by itself
// and with the best together; apply_winner() writes what won and checks it, as adviser.cc does with advice.
// Called by optimize_command.cc.
//
// What to try follows from the machine and the jobs: precisions, numbers of threads, budgets that the jobs
// fit into, samplers where jobs leave that open, caches on and off. Jobs are the newest of the window; where
// there are none, three made-up ones with the default model, of which two are equal. Not safe from several
// threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "monitor/advice/adviser.h"
#include "monitor/advice/benchmark.h"

namespace snug {

// Of a window's records, measured.
struct RecordAnalysis {
  int jobs = 0, failed = 0, cached = 0, kept = 0;
  double total_seconds = 0;                                      // of all jobs that were done
  std::vector<std::pair<std::string, double>> stage_seconds;     // "queue", "load", "denoise", ...: sums
  std::vector<std::pair<std::string, int64_t>> peak_kind_bytes;  // of the newest run
  AdviceList advice;                                             // what could change
};

struct OptimiserOptions {
  AdviceWindow window;
  OptimiserWeights weights;
  double time_limit_seconds = 120;
  std::function<void(int done, int all, double seconds_left)> progress;  // may be empty
};

struct BenchmarkResult {
  std::vector<BenchmarkVariant> variants;  // the first is the present configuration
  size_t winner = 0;                       // 0: nothing is better
  int jobs = 0;                            // in each sample
  bool made_up = false;                    // they were not the service's
};

// The winner after it was applied.
struct AppliedWinner {
  MeasuredEffect effect;
  double score_before = 0, score_after = 0;  // with the check's times
};

class Optimiser {
 public:
  Optimiser(AdviserParts parts, OptimiserOptions options)
      : parts_(std::move(parts)), options_(std::move(options)) {}

  RecordAnalysis analyze();
  // Throws cancelled, and what run_trial throws for the present configuration.
  BenchmarkResult benchmark();
  // Nothing where the present configuration won. Throws as Adviser::apply.
  std::optional<AppliedWinner> apply_winner(const BenchmarkResult& benchmark);

 private:
  std::vector<PastJob> sample();
  std::vector<BenchmarkVariant> single_changes(const std::vector<PastJob>& jobs);

  AdviserParts parts_;
  OptimiserOptions options_;
  std::vector<PastJob> jobs_;
  bool made_up_ = false;
};

// "seconds", "bytes" and so on as docs/optimize-report.schema.json says.
nlohmann::ordered_json to_json(const RecordAnalysis& analysis);
nlohmann::ordered_json to_json(const BenchmarkResult& benchmark);
nlohmann::ordered_json to_json(const AppliedWinner& applied);

}  // namespace snug
