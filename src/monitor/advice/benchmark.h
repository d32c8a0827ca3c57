// Measures configurations against each other by making pictures: every one runs the same jobs as a service of
// its own (service_trial.h), in rounds, each round in another order, so that what the machine does meanwhile
// meets all alike. Called by optimiser.cc.
//
// Quality is how far the pictures are from those of full precision with the present settings: another sampler
// makes other pictures, which need not be worse. Seconds and bytes are measured. Sets the threads back.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "monitor/advice/action.h"
#include "monitor/advice/job_planner.h"
#include "monitor/advice/past_jobs.h"

namespace snug {

// How much each counts; sum 1.
struct OptimiserWeights {
  double time = 0.6, memory = 0.2, quality = 0.2;
};
// "time=0.6,memory=0.2,quality=0.2"; what is not named counts nothing, and the sum is made 1. Throws
// invalid_argument.
OptimiserWeights parse_weights(const std::string& text);

// The median of some samples, and between which of them that of all possible ones lies with probability
// `coverage`: as statistics/bootstrap.h has it for 95 %; of too few for that, all that there is, which covers
// 1 - 2^(1 - count).
struct MedianInterval {
  double median = 0, low = 0, high = 0, coverage = 0;
};
// Of one value at least.
MedianInterval sample_interval(std::vector<double> values);

// One configuration.
struct BenchmarkVariant {
  std::string name;  // "present", "precision bf16", "combined"
  std::vector<Action> actions;
  std::vector<double> samples;       // mean seconds of a job, of each round
  std::vector<double> peak_samples;  // bytes of the process
  MedianInterval seconds, peak_bytes;
  double ssim = 1;
  std::optional<double> psnr_db;  // the least of the jobs'; absent: equal pictures
  int failed = 0;                 // jobs, of all rounds
  std::string problem;            // why it could not be measured; nothing else is known then
  double score = 0;       // by the weights: the present one's is their sum without quality; less is better
  bool on_front = false;  // no other is as good in all three and better in one
};

struct BenchmarkOptions {
  double time_limit_seconds = 120;
  int most_rounds = 12;
  const Cancellation* cancellation = nullptr;
  std::function<void(int done, int all, double seconds_left)> progress;  // may be empty
};

// Runs `variants` (the first is the present configuration) and fills in what was measured. Throws cancelled,
// and what run_trial throws for the first.
void measure(std::vector<BenchmarkVariant>& variants, const Configuration& configuration,
             const std::vector<PastJob>& jobs, const MakeServiceOptions& make_options,
             const BenchmarkOptions& options);

// Fills in scores and the front. Against the first.
void judge(std::vector<BenchmarkVariant>& variants, const OptimiserWeights& weights);
double score(double time_ratio, double memory_ratio, double ssim, const OptimiserWeights& weights);

}  // namespace snug
