// How far off this machine's predictions have been, from run records: measured over predicted, of kernels and
// of waiting for weights apart, and what surrounds the phases. Called by predicted_effect.cc, which corrects
// what it predicts and draws from the errors to say how sure it is. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "monitor/advice/past_jobs.h"
#include "monitor/statistics/repeatable_random.h"

namespace snug {

struct PastErrors {
  // One of each run, not empty: 1 where nothing is known.
  std::vector<double> kernel_ratios = {1}, waiting_ratios = {1};
  int runs = 0;  // that told
  // Medians; of runs that found nothing kept, and of all.
  double planning_seconds = 0;
  double opening_seconds = 0;  // stage load, without waiting for weights
  double around_seconds = 0;   // of a run, in no phase: host work, files, transactions
  double cached_seconds = 0;   // of a job that the cache answered; where none did: around_seconds

  double kernel_ratio() const;
  double waiting_ratio() const;
};

// Of the runs that computed with `threads` where there are enough of them, else of all.
PastErrors past_errors(const std::vector<PastJob>& jobs, int threads);

// The median of as many ratios, drawn with replacement: how it could have come out. With fewer runs than are
// enough (pipeline/prediction_history.h) the error that is guessed there is added.
double drawn_ratio(const std::vector<double>& ratios, int runs, RepeatableRandom& random);
// The factor by which a prediction of what has not been run here (other kernels, other threads) may be off,
// on top of what is off with all alike (other programs have the cores): the error that is guessed without
// runs, and the scatter of those there are.
double drawn_error(const PastErrors& errors, RepeatableRandom& random);

}  // namespace snug
