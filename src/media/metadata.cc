#include "media/metadata.h"

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "media/jpeg.h"
#include "media/picture_bytes.h"
#include "media/picture_format.h"
#include "media/png.h"
#include "media/video_format.h"
#include "media/video_metadata.h"
#include "media/webp.h"

namespace snug {
namespace {

Metadata read_picture(std::span<const std::byte> bytes) {
  switch (format_from_bytes(bytes)) {
    case PictureFormat::kPng: return read_png_metadata(bytes, kMetadataLimitBytes);
    case PictureFormat::kJpeg: return read_jpeg_metadata(bytes, kMetadataLimitBytes);
    case PictureFormat::kWebp: return read_webp_metadata(bytes, kMetadataLimitBytes);
  }
  throw Error(ErrorCode::kInternal, "a picture format without a metadata reader");
}

Metadata read(const ByteSource& source) {
  std::array<std::byte, kVideoSignatureBytes> start = {};
  const auto readable = static_cast<size_t>(std::min<uint64_t>(start.size(), source.size()));
  source.read_at(0, std::span(start).first(readable));
  const std::optional<VideoFormat> video = video_format_from_bytes(std::span(start).first(readable));
  if (video == VideoFormat::kMp4) return read_mp4_metadata(source, kMetadataLimitBytes);
  if (video == VideoFormat::kWebm) return read_webm_metadata(source, kMetadataLimitBytes);
  // An animation has its texts where a picture has them.
  return read_picture(read_picture_bytes(source, PictureLimits{}.max_file_bytes));
}

}  // namespace

void Metadata::add(std::string key, std::string text) {
  if (key == "parameters") {
    if (parameters.empty()) parameters = std::move(text);
  } else if (key == "snug") {
    if (snug_json.empty()) snug_json = std::move(text);
  } else {
    others.try_emplace(std::move(key), std::move(text));
  }
}

Metadata read_metadata(const ByteSource& source) {
  try {
    return read(source);
  } catch (Error& error) {
    error.in_file(source.name());
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory, "reading its metadata needs more memory than there is")
        .in_file(source.name());
  }
}

void check_metadata_bytes(uint64_t held_bytes, uint64_t limit_bytes) {
  if (held_bytes <= limit_bytes) return;
  throw Error(ErrorCode::kTooLarge, fmt::format("has more than {} of metadata", format_bytes(limit_bytes)),
              "strip the file's metadata");
}

}  // namespace snug
