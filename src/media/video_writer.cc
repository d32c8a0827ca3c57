#include "media/video_writer.h"

#include <cmath>
#include <new>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "base/units.h"
#include "media/unicode.h"
#include "media/video_encoder.h"

namespace snug {
namespace {

void check_size(const VideoSettings& settings) {
  const int64_t width = settings.width;
  const int64_t height = settings.height;
  const bool in_pairs = settings.format != VideoFormat::kWebp;
  const int64_t least = in_pairs ? 16 : 1;  // libx264's
  if (width < least || height < least || width > kVideoMaxEdge || height > kVideoMaxEdge ||
      width * height > kVideoMaxPixels) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("a {} video cannot be {} x {}; the limits are {} to {} a side and {} pixels in all",
                    format_name(settings.format), width, height, least, kVideoMaxEdge, kVideoMaxPixels),
        "choose another size");
  }
  if (!in_pairs || (width % 2 == 0 && height % 2 == 0)) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("a {} video cannot be {} x {}: both must be even", format_name(settings.format),
                          width, height),
              fmt::format("choose {} x {}, or webp", width - width % 2, height - height % 2));
}

void check_text(std::string_view text) {
  if (text.find('\0') == std::string_view::npos && is_utf8(text)) return;
  throw Error(ErrorCode::kInvalidArgument, "the video's metadata is not UTF-8 text, or contains NUL");
}

}  // namespace

void check_video_settings(const VideoSettings& settings) {
  check_size(settings);
  // Written so that NaN is refused too.
  if (!(settings.frames_per_second >= kLeastFramesPerSecond &&
        settings.frames_per_second <= kMostFramesPerSecond)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("a video cannot have {} frames per second", settings.frames_per_second),
                fmt::format("choose {} to {}", kLeastFramesPerSecond, kMostFramesPerSecond));
  }
  const int quality = settings.quality.value_or(kVideoQuality);
  if (quality < 1 || quality > 100) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("a quality of {} does not exist", quality),
                "choose 1 to 100");
  }
  check_text(settings.metadata.parameters);
  check_text(settings.metadata.snug_json);
  for (const auto& [key, text] : settings.metadata.others) {
    check_text(key);
    check_text(text);
  }
}

VideoWriter::VideoWriter(VideoSettings settings, MediaOutput& output, const Cancellation* cancellation)
    : settings_(std::move(settings)), output_(output), cancellation_(cancellation) {
  check_video_settings(settings_);
  settings_.quality = settings_.quality.value_or(kVideoQuality);
  if (cancellation_ != nullptr) cancellation_->check();
  encoder_ = settings_.format == VideoFormat::kWebp ? make_webp_animation_encoder(settings_, output_)
                                                    : make_ffmpeg_encoder(settings_, output_);
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::add(const Picture& frame) {
  SNUG_CHECK(encoder_, "the video is not finished");
  if (cancellation_ != nullptr) cancellation_->check();
  if (frame.width != settings_.width || frame.height != settings_.height) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("frame {} of the video is {} x {}, the others are {} x {}", frames_, frame.width,
                            frame.height, settings_.width, settings_.height));
  }
  SNUG_CHECK(std::ssize(frame.rgb) == 3 * frame.width * frame.height, "three samples for each pixel");
  try {
    encoder_->add(frame);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory, "writing the video needs more memory than there is");
  }
  ++frames_;
}

void VideoWriter::finish() {
  SNUG_CHECK(encoder_, "the video is not finished");
  if (cancellation_ != nullptr) cancellation_->check();
  if (frames_ == 0) throw Error(ErrorCode::kInvalidArgument, "a video without frames cannot be written");
  try {
    encoder_->finish();
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory, "writing the video needs more memory than there is");
  }
  encoder_.reset();
  if (cancellation_ != nullptr) cancellation_->check();
  output_.complete();
}

// Measured as the growth of a fresh process from 64 x 64 to 1920 x 1088, 24 and 200 frames, quality 80 and
// 100, and rounded up: FFmpeg's libraries come to 30 MiB, of which 24 are there once they are loaded; x264 to
// 50 bytes a pixel; libvpx to 8 MiB and 80 bytes a pixel, and the muxer's cluster to 5 MiB at most; libwebp
// to 2 bytes a pixel, without loss to 60.
uint64_t video_encoder_bytes(VideoFormat format, int64_t width, int64_t height, std::optional<int> quality) {
  const auto pixels = static_cast<uint64_t>(width * height);
  switch (format) {
    case VideoFormat::kMp4: return 34 * kMiB + 56 * pixels;
    case VideoFormat::kWebm: return 50 * kMiB + 84 * pixels;
    case VideoFormat::kWebp: return 2 * kMiB + (quality.value_or(kVideoQuality) == 100 ? 72 : 4) * pixels;
  }
  SNUG_CHECK(false, "every format has an estimate");
}

}  // namespace snug
