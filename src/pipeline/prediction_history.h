// How far predictions were off here: what the last runs were predicted to take and took, kept in the user's
// cache folder for each machine. From it comes the margin with which a time is promised.
//
// It is a cache: whatever is wrong with it is a warning and counts as no history.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace snug {

struct PastRun {
  double predicted_seconds = 0;  // of all phases
  double phase_seconds = 0;      // measured, of the same
  double total_seconds = 0;      // measured, with opening, planning, loading and writing
};

// Fewer runs than that say too little.
inline constexpr size_t kEnoughRuns = 8;

struct PredictionError {
  size_t runs = 0;
  // Of every forty runs, thirty-nine took at most so many times what was predicted. A guess without enough
  // runs.
  double most_ratio = 1.3;
  double median_ratio = 1;
  // What came on top of the phases; likewise what thirty-nine of forty kept to.
  double most_beside_seconds = 0.3;
};

PredictionError prediction_error(const std::vector<PastRun>& runs);

// $XDG_CACHE_HOME/snug/predictions.json; empty without a home.
std::string predictions_path();
// The newest first. Never throws.
std::vector<PastRun> load_past_runs(const std::string& path, const Backend& backend);
// Puts the run in front, and forgets the oldest. A failure is a warning.
void keep_past_run(const std::string& path, const Backend& backend, const PastRun& run);

}  // namespace snug
