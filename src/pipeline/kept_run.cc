#include "pipeline/kept_run.h"

#include <utility>

#include <fmt/format.h>

namespace snug {

void KeptRun::drop() {
  executor.reset();
  fitted.reset();
  shape.clear();
  model.reset();
}

std::string shape_of(const Request& request, const PlannedRun& run) {
  std::string shape = fmt::format(
      "{} {}x{} batch {} guided {} clip_skip {} precision {} auto {} chunks {} sampler {} calls {} from {} "
      "to {}",
      request.model_name, request.width, request.height, request.batch, request.guided(), request.clip_skip,
      dtype_info(request.precision).name, request.auto_precision, run.chunks(), request.sampler_name,
      run.sampler->calls(), run.first_call, run.end_call);
  shape += fmt::format(" image {} mask {} latents {} format {} dump {} memory {} allow {}{} scratch {}",
                       !request.image.empty(), !request.mask.empty(), !request.latents.empty(),
                       format_name(request.format), !request.dump.empty(), request.memory_bytes.value_or(0),
                       request.allow_precision, request.allow_size, request.scratch_folder);
  if (request.is_clip) {
    shape += fmt::format(" frames {} at {} as {} last {} guidance {} {}", request.frames,
                         request.frames_per_second, video_format_word(request.video_format),
                         !request.last_image.empty(), request.guidance_scale, request.guidance_scale_2);
    for (const TokenizedText& text : run.clip_prompts) shape += fmt::format(" tokens {}", text.ids.size());
  }
  return shape;
}

bool take_over(KeptRun& kept, const std::shared_ptr<const Model>& model, const Request& request,
               PlannedRun& fresh) {
  if (kept.executor == nullptr || kept.model != model || kept.shape != shape_of(request, fresh)) return false;
  FittedRun& fitted = *kept.fitted;
  // What had to change for the budget would have to be changed again.
  if (!fitted.changes.empty()) return false;
  const int most_prompts = fitted.run.plan.phase(phase::kEncodeText).calls;
  if (static_cast<int>(fresh.prompts.size()) > most_prompts) return false;
  fitted.request = request;
  fitted.run.prompts = std::move(fresh.prompts);
  fitted.run.clip_prompts = std::move(fresh.clip_prompts);
  fitted.run.prompt_of_picture = std::move(fresh.prompt_of_picture);
  fitted.run.sampler = std::move(fresh.sampler);
  fitted.run.first_call = fresh.first_call;
  fitted.run.end_call = fresh.end_call;
  return true;
}

}  // namespace snug
