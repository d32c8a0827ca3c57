// The best quality whose predicted time fits into what the user has: `--time 30s`. Called by generate.cc and
// whoever else plans a request that states a time.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backend/backend.h"
#include "pipeline/open_model.h"
#include "pipeline/prediction_history.h"
#include "pipeline/request.h"
#include "plan/rates.h"

namespace snug {

struct TimeChoice {
  double asked_seconds = 0;
  double predicted_seconds = 0;  // of the whole run, likely
  double most_seconds = 0;       // predicted, with the margin of past errors: this is within what was asked
  int64_t width = 0, height = 0, steps = 0;
  PredictionError error;
};

// What a user is told in advance: {"asked_seconds", "predicted_seconds", "promised_seconds",
// "prediction_error": {"runs", "median_ratio", "most_ratio", "most_beside_seconds"}}; "runs" 0: a guess.
nlohmann::ordered_json promise_json(const TimeChoice& choice);

// Settles `fields.time_seconds` into steps and, where the user states none, a size, and clears it. Throws
// invalid_argument when even the least takes longer, naming how long that is.
TimeChoice settle_time(RequestFields& fields, const Model& model, const Backend& backend, const Rates& rates,
                       const std::vector<PastRun>& past);

// A preset (presets.h) and a time, of this machine's past runs. Nothing happens without either.
TimeChoice settle_quality(RequestFields& fields, const Model& model, const Backend& backend,
                          const Rates& rates);

}  // namespace snug
