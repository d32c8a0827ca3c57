// What models_bench found, as tables, targets and a record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/model_calls.h"
#include "bench/model_programs.h"
#include "bench/record.h"

namespace snug::bench {

// A whole model call in one element type.
struct CallTimes {
  CallKind kind = CallKind::kUnetStep;
  Measurement measured;                   // all threads
  double product_flops = 0;               // Limits::product_flops, but the median beside those samples
  std::vector<OperatorTime> operators;    // of the same runs
  double share_beside_products = 0;       // of their time
  std::optional<Measurement> one_thread;  // taken in turn with two_threads
  std::optional<Measurement> two_threads;
};

// What was not measured is absent.
struct ModelTimes {
  Limits limits;
  std::vector<CallTimes> calls;
  std::optional<CheckpointTimes> checkpoint;
  std::vector<Measurement> programs, before;  // before: of an older program, in turn with the first of them
  std::vector<PictureDifference> differences;
};

// The targets of "How fast" in the speed issue, and of "How good" in the one on large images and video.
std::vector<Target> model_targets(const ModelTimes& times);
// Tables, as Markdown or for a terminal, targets first.
std::string models_report(const ModelTimes& times, const std::vector<Target>& targets, bool markdown);
Record models_record(const ModelTimes& times, const std::vector<Target>& targets);

}  // namespace snug::bench
