// Which model and which size suit a budget and a time: each model planned, its loading as measured here.
// Nothing runs. Called by `snug choose`.
//
// Snug does not judge pictures. Its order is: what fits the budget at the size that was asked for, and the
// time, if one was stated; then the larger picture; then the shorter time with loading; then the smaller
// peak.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "pipeline/load_history.h"
#include "pipeline/prediction_history.h"
#include "pipeline/request.h"
#include "plan/rates.h"
#include "tensor/dtype.h"

namespace snug {

// A size and what it takes, predicted.
struct PlannedSize {
  int64_t width = 0, height = 0;  // pixels
  uint64_t peak_bytes = 0;
  double seconds = 0;  // of all phases
};

struct ModelChoice {
  std::string name;
  std::string problem;  // why it cannot be used; all else is absent then
  int64_t width = 0, height = 0, steps = 0;
  DType precision = DType::kF32;
  std::optional<PlannedSize> asked;    // at the size that was asked for; absent: does not fit
  std::optional<PlannedSize> largest;  // in the budget; absent: none fits
  uint64_t smallest_budget_bytes = 0;  // of the size that was asked for, where it does not fit
  std::optional<double> load_seconds;  // measured, the median of past loads; absent: it was not loaded here
  // Whether `asked` ends in the stated time, with loading and the margin of past errors; absent: none was
  // stated, or it does not fit.
  std::optional<bool> in_time;

  bool suits() const { return asked.has_value() && in_time.value_or(true); }
};

// What runs told of this machine.
struct KnownOfMachine {
  std::map<std::string, std::vector<PastLoad>> loads;  // by Model::identity
  PredictionError error;
};

// One for each of `models` (paths, or the embedded model's name), the best first. `fields` is what would be
// asked of each: size, steps, preset, memory, time. Throws invalid_argument for what is wrong with `fields`
// whatever the model; what is wrong with a model is its problem.
std::vector<ModelChoice> choose_model(const std::vector<std::string>& models, const RequestFields& fields,
                                      const Backend& backend, const Rates& rates,
                                      const KnownOfMachine& known);

}  // namespace snug
