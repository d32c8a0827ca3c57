// Writes a video frame by frame, as frames are decoded, so that no more than a few of them are ever held.
// Called by pipeline.
//
//   FileOutput output(path);                     // or MemoryOutput
//   VideoWriter writer(settings, output, &cancellation);
//   for (...) writer.add(picture);
//   writer.finish();                             // now the file is there
//
// What it holds: the encoder's few frames before and behind the one that it writes (a dozen for mp4, eight
// for webm, one for webp), the muxer's list of what is where (100 bytes a frame), and for webm up to 5 MiB of
// encoded frames. video_encoder_bytes says how much that is; it does not depend on the number of frames.
//
// Samples are taken for sRGB and written as ITU-R BT.709, limited range, 4:2:0, and marked so (a WebP
// animation: BT.601, as that format is defined). The same frames, settings and libraries give the same bytes:
// encoders run in one thread, and nothing in the file comes from the clock or from chance.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/cancellation.h"
#include "media/media_output.h"
#include "media/metadata.h"
#include "media/picture.h"
#include "media/video_format.h"

namespace snug {

inline constexpr double kLeastFramesPerSecond = 1;
inline constexpr double kMostFramesPerSecond = 120;
inline constexpr int kVideoQuality = 80;
// The largest edge and the largest width x height, within what H.264's highest level and FFmpeg allow.
inline constexpr int64_t kVideoMaxEdge = 8192;
inline constexpr int64_t kVideoMaxPixels = int64_t{4096} * 4096;

struct VideoSettings {
  VideoFormat format = VideoFormat::kMp4;
  int64_t width = 0;   // even, but for webp
  int64_t height = 0;  // even, but for webp
  // Whole numbers and 1000/1001 of them (23.976) are kept exactly, others to a thousandth; webp shows each
  // frame for whole milliseconds, of which none is lost over the video.
  double frames_per_second = 24;
  // 1 to 100; kVideoQuality when not given, at which loss is hard to see. For webp 100 is lossless.
  std::optional<int> quality;
  Metadata metadata;
};

// Throws invalid_argument: a size that the format cannot have (naming the nearest that it can), frames per
// second or quality out of range, metadata that is not UTF-8 or contains NUL. For telling before the work,
// not after; VideoWriter does the same.
void check_video_settings(const VideoSettings& settings);

class VideoEncoder;

// Used by one thread. After an error only destruction is left, and with a FileOutput nothing on disk.
class VideoWriter {
 public:
  // `output` is empty and outlives the writer, as does `cancellation`. Throws as check_video_settings;
  // unsupported, where FFmpeg's libraries are not installed (mp4, webm); out_of_memory; what the output
  // throws.
  VideoWriter(VideoSettings settings, MediaOutput& output, const Cancellation* cancellation = nullptr);
  ~VideoWriter();
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  // The next frame; alpha is dropped. Throws cancelled; invalid_argument for another size than the settings';
  // out_of_memory, io_error, disk_full. A full disk may show only at a later frame or in finish().
  void add(const Picture& frame);
  // Writes what is still held and completes the output. Throws as add; invalid_argument when there was no
  // frame.
  void finish();
  int64_t frames() const { return frames_; }

 private:
  VideoSettings settings_;
  MediaOutput& output_;
  const Cancellation* cancellation_;
  std::unique_ptr<VideoEncoder> encoder_;
  int64_t frames_ = 0;
};

// What writing a video of that size adds to the process's resident memory at most, in bytes, FFmpeg's
// libraries included where the format needs them (24 MiB less is added once they are loaded); not what a
// MemoryOutput holds. An upper estimate, measured: in a fresh process never less than what is added, and at
// most twice as much and 4 MiB (video_memory_test.cc holds it to that).
uint64_t video_encoder_bytes(VideoFormat format, int64_t width, int64_t height,
                             std::optional<int> quality = std::nullopt);

}  // namespace snug
