#include "monitor/advice/advice.h"

#include <nlohmann/json.hpp>

namespace snug {

using nlohmann::ordered_json;

std::string_view advice_category_name(AdviceCategory category) {
  switch (category) {
    case AdviceCategory::kHardware: return "hardware";
    case AdviceCategory::kConfiguration: return "configuration";
    case AdviceCategory::kWorkflow: return "workflow";
    case AdviceCategory::kGeneral: break;
  }
  return "general";
}

std::string_view figure_name(AdviceFigure figure) {
  return figure == AdviceFigure::kFailedJobs ? "failed_jobs" : "mean_job_seconds";
}

std::string_view figure_unit(AdviceFigure figure) {
  return figure == AdviceFigure::kFailedJobs ? "jobs" : "seconds";
}

ordered_json to_json(const MeasuredEffect& effect, AdviceFigure figure) {
  return {{"at_ms", effect.at_ms},
          {"metric", figure_name(figure)},
          {"unit", figure_unit(figure)},
          {"jobs", effect.jobs},
          {"pairs", effect.pairs},
          {"predicted_before", effect.predicted_before},
          {"predicted_after", effect.predicted_after},
          {"before", effect.before},
          {"after", effect.after},
          {"ratio", effect.ratio},
          {"low_ratio", effect.low_ratio},
          {"high_ratio", effect.high_ratio},
          {"kept", effect.kept},
          {"backup", effect.backup.empty() ? ordered_json() : ordered_json(effect.backup)}};
}

ordered_json to_json(const Advice& advice) {
  const PredictedEffect& predicted = advice.predicted;
  return {{"id", advice.id},
          {"category", advice_category_name(advice.category)},
          {"title", advice.title},
          {"action", advice.action ? to_json(*advice.action) : ordered_json()},
          {"predicted",
           {{"metric", figure_name(predicted.figure)},
            {"unit", figure_unit(predicted.figure)},
            {"before", predicted.before},
            {"after", predicted.after},
            {"low_after", predicted.low_after},
            {"high_after", predicted.high_after},
            {"peak_bytes_before", predicted.peak_bytes_before},
            {"peak_bytes_after", predicted.peak_bytes_after}}},
          {"basis", advice.basis},
          {"confidence", predicted.confidence},
          {"applied", advice.applied ? to_json(*advice.applied, predicted.figure) : ordered_json()}};
}

ordered_json to_json(const AppliedAdvice& applied) {
  ordered_json json = to_json(applied.advice);
  json["rolled_back"] = applied.rolled_back;
  return json;
}

}  // namespace snug
