#include "media/video_reader.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "media/ffmpeg_reader.h"
#include "media/picture_bytes.h"
#include "media/webp_animation.h"

namespace snug {
namespace {

// Runs `work` with the source's name on what it throws.
template <typename Work>
auto about(const ByteSource& source, const Work& work) {
  try {
    return work();
  } catch (Error& error) {
    error.in_file(source.name());
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory, "decoding needs more memory than there is", "use a smaller video")
        .in_file(source.name());
  }
}

VideoFormat format_of(const ByteSource& source) {
  std::array<std::byte, kVideoSignatureBytes> start = {};
  const auto readable = static_cast<size_t>(std::min<uint64_t>(start.size(), source.size()));
  source.read_at(0, std::span(start).first(readable));
  const std::optional<VideoFormat> format = video_format_from_bytes(std::span(start).first(readable));
  if (format) return *format;
  if (readable < start.size()) {
    throw Error(ErrorCode::kTruncated, fmt::format("has only {} bytes", readable),
                "give an MP4, WebM or animated WebP");
  }
  throw Error(ErrorCode::kBadImage, "is not a video in a known format", "give an MP4, WebM or animated WebP");
}

void check_file_size(const ByteSource& source, uint64_t limit) {
  if (source.size() <= limit) return;
  throw Error(ErrorCode::kTooLarge,
              fmt::format("has {}, more than the {} that a video may have", format_bytes(source.size()),
                          format_bytes(limit)),
              "use a smaller video");
}

// A reader whose errors name the source, and which holds the file where the reader needs it in memory.
class NamedReader : public VideoReader {
 public:
  NamedReader(const ByteSource& source, const VideoLimits& limits) : source_(source) {
    const VideoFormat format = format_of(source);
    check_file_size(source,
                    format == VideoFormat::kWebp ? limits.max_animation_bytes : limits.max_file_bytes);
    if (format == VideoFormat::kWebp) {
      bytes_ = read_picture_bytes(source, limits.max_animation_bytes);
      reader_ = open_webp_animation(bytes_, limits);
    } else {
      reader_ = open_ffmpeg_video(source, format, limits);
    }
  }
  const VideoFacts& facts() const override { return reader_->facts(); }
  std::optional<Picture> next() override {
    return about(source_, [&] { return reader_->next(); });
  }

 private:
  const ByteSource& source_;
  std::vector<std::byte> bytes_;
  std::unique_ptr<VideoReader> reader_;
};

}  // namespace

std::unique_ptr<VideoReader> open_video(const ByteSource& source, const VideoLimits& limits) {
  return about(source, [&] { return std::make_unique<NamedReader>(source, limits); });
}

VideoFacts video_facts(const ByteSource& source, const VideoLimits& limits) {
  return open_video(source, limits)->facts();
}

Picture read_video_frame(const ByteSource& source, int64_t index, const VideoLimits& limits) {
  const std::unique_ptr<VideoReader> reader = open_video(source, limits);
  for (int64_t at = 0; at >= 0 && index >= 0; ++at) {
    std::optional<Picture> picture = reader->next();
    if (!picture) break;
    if (at == index) return std::move(*picture);
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("has no frame {}: it has {}, from 0", index, reader->facts().frames))
      .in_file(source.name());
}

}  // namespace snug
