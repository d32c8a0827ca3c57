// What models_bench measures on the program itself, started as users start it: how long a picture of the
// embedded model takes, how a full-size checkpoint is loaded, and what BF16 changes in pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/record.h"

namespace snug::bench {

// The embedded model, 128×128, 20 steps, one picture, whole process; where `before`, an older program, is
// given, in turn with that: then the second is its. In that element type.
std::vector<Measurement> time_embedded_model(const std::string& before, DType dtype, int repeats);
// `snug --version`.
Measurement time_version(int repeats);

// One run of `snug generate` with a full-size SD1.5 checkpoint whose files are in the page cache.
struct CheckpointTimes {
  std::vector<double> step_seconds;
  double waiting_seconds = 0;  // of all phases for weights, and of the load stage
  uint64_t read_bytes = 0;     // of weights
  double file_seconds = 0;     // to read the files once, by the same calls, right before
  double copy_seconds = 0;     // to read and write as many bytes in memory, at the copies' limit

  double first_step_seconds() const { return step_seconds.front(); }
  double later_step_seconds() const;  // median
};
CheckpointTimes time_checkpoint(DType dtype, const Limits& limits);

// Pictures of the embedded model in BF16 against F32, by the peak signal-to-noise ratio over all samples
// of 8 bits; infinite where they are equal.
struct PictureDifference {
  std::string prompt;
  uint64_t seed = 0;
  double psnr_db = 0;
};
std::vector<PictureDifference> compare_precisions();

}  // namespace snug::bench
