// One way of writing videos, behind VideoWriter, which has checked what it hands on. Called by
// video_writer.cc.
#pragma once

#include <memory>

#include "media/media_output.h"
#include "media/picture.h"
#include "media/video_writer.h"

namespace snug {

class VideoEncoder {
 public:
  virtual ~VideoEncoder() = default;
  // A frame of the settings' size; its alpha is dropped.
  virtual void add(const Picture& frame) = 0;
  // Writes what is still held, and whatever the format has at its end.
  virtual void finish() = 0;
};

// `settings` (all within their ranges, `quality` given) and `output` outlive the encoder. Throw unsupported,
// out_of_memory, and what the output throws.
std::unique_ptr<VideoEncoder> make_ffmpeg_encoder(const VideoSettings& settings, MediaOutput& output);
std::unique_ptr<VideoEncoder> make_webp_animation_encoder(const VideoSettings& settings, MediaOutput& output);

}  // namespace snug
