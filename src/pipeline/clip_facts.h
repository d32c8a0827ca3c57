// What a video model can make, and what it makes where a request states nothing: that of the model's makers.
// validate_clip.cc holds requests against it, and lists of models show it.
#pragma once

#include <cstdint>

#include "models/video_model.h"

namespace snug {

struct ClipFacts {
  int64_t frames = 0;           // where none are stated
  int64_t frames_multiple = 1;  // frames are one more than a multiple of it
  double frames_per_second = 0;
  int64_t width = 0, height = 0;  // pixels, where neither they nor a picture are given
  int64_t size_multiple_px = 1;   // of both
  bool takes_image = false, takes_last_image = false;
  int experts = 1;  // with two, each has a guidance scale
};

ClipFacts clip_facts(const VideoModel& video);

}  // namespace snug
