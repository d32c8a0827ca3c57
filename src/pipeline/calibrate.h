// Measures every field of plan/rates.h on this machine, with the backend's own kernels on shapes of Stable
// Diffusion 1.5. Called by `snug calibrate`; keeping the result is rates_file.h's.
//
// The rates are those of cost_model.h: nominal FLOPs over time, less what expanding weights and starting a
// kernel take, which are rates of their own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "plan/rates.h"

namespace snug {

struct CalibrateOptions {
  std::string model_file;                          // whose reading is measured; empty: a temporary file's
  double budget_seconds = 8;                       // about; a slow machine takes smaller shapes, not longer
  std::function<void(std::string_view)> progress;  // what is measured next; may be empty
};

// One line of the table.
struct MeasuredRate {
  std::string name;             // as the field of Rates
  std::optional<double> value;  // per `unit`; nothing where it was not measured and Rates has a guess
  std::string unit;             // "FLOP/s", "bytes/s", "elements/s", "s", "s/byte"
  std::string how;              // what was run, or why nothing was
};

struct Calibration {
  Rates rates;
  std::vector<MeasuredRate> table;
  double seconds = 0;
};

// Uses all threads, and about 300 MiB of memory. Throws out_of_memory, and not_found or io_error for the
// model's file.
Calibration calibrate(const Backend& backend, const CalibrateOptions& options);

}  // namespace snug
