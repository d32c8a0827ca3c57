// MP4 and WebM read through FFmpeg's libraries. Called by open_video.
#pragma once

#include <memory>

#include "media/video_reader.h"

namespace snug {

// `format` is MP4 or WebM. `source` outlives the reader. Throws as open_video, without the source's name.
std::unique_ptr<VideoReader> open_ffmpeg_video(const ByteSource& source, VideoFormat format,
                                               const VideoLimits& limits);

}  // namespace snug
