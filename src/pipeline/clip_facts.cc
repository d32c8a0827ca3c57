#include "pipeline/clip_facts.h"

namespace snug {

ClipFacts clip_facts(const VideoModel& video) {
  ClipFacts facts;
  facts.frames = video.first_frame_has_time ? 121 : 81;
  facts.frames_multiple = video.frame_step();
  facts.frames_per_second = video.first_frame_has_time ? 24 : 16;
  facts.width = 832;
  facts.height = 480;
  facts.size_multiple_px = video.size_step_px();
  facts.takes_image = video.first_frame_has_time || video.takes_picture_beside();
  facts.takes_last_image = video.takes_picture_beside();
  facts.experts = static_cast<int>(video.experts.size());
  return facts;
}

}  // namespace snug
