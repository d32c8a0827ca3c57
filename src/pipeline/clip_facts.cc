#include "pipeline/clip_facts.h"

#include "models/describe_model.h"
#include "pipeline/validate_clip.h"

namespace snug {

ClipFacts clip_facts(const ModelDescription& model) {
  const VideoModel& video = model.video.value();
  const ClipDefaults defaults = clip_defaults(video);
  ClipFacts facts;
  facts.frames = defaults.frames;
  facts.frames_multiple = video.frame_step();
  facts.frames_per_second = defaults.frames_per_second;
  facts.width = defaults.width;
  facts.height = defaults.height;
  facts.size_multiple_px = video.size_step_px();
  facts.takes_image = takes_first_image(video);
  facts.takes_last_image = takes_last_image(video);
  facts.experts = static_cast<int>(video.experts.size());
  return facts;
}

}  // namespace snug
