// Finds with how many threads this machine computes fastest, and whether pinning them helps, by timing a
// short stand-in for a step: products, convolutions, attention and small operators of Stable Diffusion 1.5's
// shapes with the backend's own kernels. Called by `snug tune`; keeping the result is thread_choice.h's.
//
// More threads than are fastest cost others their cores and save nothing, so of all counts that are as fast
// as the best within what repeats differ by, the smallest wins; pinning has to win by more than that.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "pipeline/thread_choice.h"

namespace snug {

struct TuneOptions {
  double budget_seconds = 10;  // about; each count is timed at least once, however long it takes
  std::function<void(std::string_view)> progress;  // what is measured next; may be empty
};

struct TuneCandidate {
  int threads = 1;
  bool pin = false;
  int samples = 0;
  double least_seconds = 0, median_seconds = 0;  // of the stand-in, measured
};

struct TuneResult {
  TunedThreads best;
  double tolerance = 0;                   // a share: what counts as equally fast
  bool busy = false;                      // repeats differ much: other programs had the cores
  std::vector<TuneCandidate> candidates;  // by threads, pinned ones last
  double seconds = 0;                     // that tuning took
};

// 1, 2, 4 and so on, the physical and the logical cores; rising. Not more than a control group keeps busy,
// with one above it.
std::vector<int> thread_counts_to_try(const CoreLayout& cores, std::optional<double> quota);

// Which wins, of candidates that were timed.
TunedThreads best_of(const std::vector<TuneCandidate>& candidates, double tolerance);

// Repeats are interleaved, so that what else the machine does meets all candidates alike. Leaves the thread
// count and pinning as they were. Throws out_of_memory.
TuneResult tune(const Backend& backend, const TuneOptions& options);

}  // namespace snug
