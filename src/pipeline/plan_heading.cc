#include "pipeline/plan_heading.h"

#include <nlohmann/json.hpp>

namespace snug {

using nlohmann::ordered_json;

ordered_json budget_json(const MemoryBudget& budget) {
  return {{"bytes", budget.bytes},
          {"stated", budget.stated},
          {"limited_by", budget.limited_by},
          {"margin_bytes", budget.margin_bytes}};
}

ordered_json plan_heading_json(const FittedRun& fitted, const Model& model) {
  const Request& request = fitted.request;
  const PlannedRun& run = fitted.run;
  const auto& video = model.description.video;
  const bool has_second_expert = video.has_value() && video->experts.size() > 1;
  const bool is_flow = request.sampler.prediction_type == PredictionType::kFlow;
  return {{"status", "done"},
          {"model", request.model_name},
          {"architecture", model.description.title},
          {"width", request.width},
          {"height", request.height},
          {"steps", request.steps},
          {"batch", request.batch},
          {"frames", request.is_clip ? ordered_json(request.frames) : ordered_json()},
          {"fps", request.is_clip ? ordered_json(request.frames_per_second) : ordered_json()},
          {"guidance_scale", request.guidance_scale},
          {"guidance_scale_2", has_second_expert ? ordered_json(request.guidance_scale_2) : ordered_json()},
          {"flow_shift", is_flow ? ordered_json(request.sampler.flow_shift) : ordered_json()},
          {"sampler", request.sampler_name},
          {"precision", precision_name(request.precision)},
          {"precision_reason",
           request.precision_reason.empty() ? ordered_json() : ordered_json(request.precision_reason)},
          {"budget", budget_json(run.budget)},
          {"changes", fitted.changes},
          {"rates", rates_source_name(run.rates_source)},
          {"scratch_folder", run.scratch_folder},
          {"assumptions", model.description.assumptions}};
}

}  // namespace snug
