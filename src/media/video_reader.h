// Reads videos that Snug writes: what they are, and their frames. Called by the service for the picture that
// stands for a video, by `snug inspect` and by tests.
//
// It reads H.264 (8 bits, 4:2:0) in MP4, VP8 and VP9 (likewise) in WebM, and WebP animations; sound is passed
// over. Files of others of these kinds can be read too; what is more special is refused. Containers and
// codecs are the few named ones, so that no other of FFmpeg's many parsers can be reached from a file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/byte_source.h"
#include "media/decode_picture.h"
#include "media/video_format.h"

namespace snug {

struct VideoFacts {
  VideoFormat format = VideoFormat::kMp4;
  std::string codec;  // "h264", "vp9", "vp8", "webp"
  int64_t width = 0;
  int64_t height = 0;
  int64_t frames = 0;
  double frames_per_second = 0;  // the mean, where they come unevenly
};

struct VideoLimits {
  PictureLimits frame = {.max_edge = 8192, .max_pixels = int64_t{4096} * 4096};
  uint64_t max_file_bytes = 4 * kGiB;
  uint64_t max_animation_bytes = 256 * kMiB;  // a WebP animation is held whole
  int64_t max_frames = 100'000;
};

// Gives the frames in order. Used by one thread.
class VideoReader {
 public:
  virtual ~VideoReader() = default;
  virtual const VideoFacts& facts() const = 0;
  // None behind the last frame. Throws truncated, bad_image, unsupported_image, out_of_memory, io_error.
  virtual std::optional<Picture> next() = 0;
};

// Reads through the file once for the facts, without decoding. `source` outlives the reader. Throws, naming
// the source: truncated, bad_image, unsupported_image, too_large (beyond `limits`), io_error, out_of_memory;
// unsupported, where FFmpeg's libraries are not installed.
std::unique_ptr<VideoReader> open_video(const ByteSource& source, const VideoLimits& limits = {});

VideoFacts video_facts(const ByteSource& source, const VideoLimits& limits = {});

// Frame `index` from 0. Decodes those before it, a few milliseconds each. Throws as open_video and next, and
// invalid_argument when the video has no such frame.
Picture read_video_frame(const ByteSource& source, int64_t index, const VideoLimits& limits = {});

}  // namespace snug
