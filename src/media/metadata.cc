#include "media/metadata.h"

#include <new>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "media/jpeg.h"
#include "media/picture_bytes.h"
#include "media/picture_format.h"
#include "media/png.h"
#include "media/webp.h"

namespace snug {
namespace {

Metadata read_bytes(std::span<const std::byte> bytes) {
  switch (format_from_bytes(bytes)) {
    case PictureFormat::kPng: return read_png_metadata(bytes, kMetadataLimitBytes);
    case PictureFormat::kJpeg: return read_jpeg_metadata(bytes, kMetadataLimitBytes);
    case PictureFormat::kWebp: return read_webp_metadata(bytes, kMetadataLimitBytes);
  }
  throw Error(ErrorCode::kInternal, "a picture format without a metadata reader");
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
    return read_bytes(read_picture_bytes(source, PictureLimits{}.max_file_bytes));
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
              "strip the picture's metadata");
}

}  // namespace snug
