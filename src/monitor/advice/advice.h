// One piece of advice: what to change, what that is predicted to do and how sure that is, and what it did
// when it was applied. Made by adviser.cc; told by `snug advise` and the API, which add nothing. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "monitor/advice/action.h"

namespace snug {

enum class AdviceCategory : uint8_t { kHardware, kConfiguration, kWorkflow, kGeneral };
std::string_view advice_category_name(AdviceCategory category);  // "hardware", ...

// What a piece of advice improves. The smaller the better, all of them.
enum class AdviceFigure : uint8_t { kMeanJobSeconds, kFailedJobs };
std::string_view figure_name(AdviceFigure figure);  // "mean_job_seconds", "failed_jobs"
std::string_view figure_unit(AdviceFigure figure);  // "seconds", "jobs"

struct PredictedEffect {
  AdviceFigure figure = AdviceFigure::kMeanJobSeconds;
  double before = 0, after = 0;
  double low_after = 0, high_after = 0;                 // nine of ten draws of past errors are between
  double confidence = 0;                                // the share of draws in which it is better
  int64_t peak_bytes_before = 0, peak_bytes_after = 0;  // of the process, with what is kept
};

// After it was applied: the check's runs, in pairs, of jobs that had come.
struct MeasuredEffect {
  int64_t at_ms = 0;
  int jobs = 0, pairs = 0;
  double predicted_before = 0, predicted_after = 0;  // of the very jobs that the check ran
  double before = 0, after = 0;                      // medians of the pairs
  double ratio = 1;                                  // median over pairs of after / before; below 1 is better
  double low_ratio = 1, high_ratio = 1;              // the least and the largest of a pair
  bool kept = false;   // false: it was worse, and the configuration is as it was
  std::string backup;  // of the configuration before; a file's name
};

struct Advice {
  std::string id;  // of what it changes: the same advice has the same id tomorrow
  AdviceCategory category = AdviceCategory::kGeneral;
  std::string title;
  std::optional<Action> action;  // absent: nothing that Snug can do by itself
  PredictedEffect predicted;
  std::string basis;                      // what the prediction rests on
  std::optional<MeasuredEffect> applied;  // the last time

  double gain() const { return predicted.before > 0 ? 1 - predicted.after / predicted.before : 0; }
};

struct AppliedAdvice {
  Advice advice;  // with its measured effect
  bool rolled_back = false;
};

nlohmann::ordered_json to_json(const MeasuredEffect& effect, AdviceFigure figure);
nlohmann::ordered_json to_json(const Advice& advice);
nlohmann::ordered_json to_json(const AppliedAdvice& applied);

}  // namespace snug
