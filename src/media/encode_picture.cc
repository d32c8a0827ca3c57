#include "media/encode_picture.h"

#include <new>
#include <string_view>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "media/jpeg.h"
#include "media/png.h"
#include "media/unicode.h"
#include "media/webp.h"

namespace snug {
namespace {

constexpr int64_t kPngMaxEdge = 0x7fffffff;
constexpr int64_t kJpegMaxEdge = 65500;  // libjpeg's JPEG_MAX_DIMENSION
constexpr int kJpegQuality = 95;
constexpr int kWebpQuality = 90;

int64_t max_edge(PictureFormat format) {
  switch (format) {
    case PictureFormat::kPng: return kPngMaxEdge;
    case PictureFormat::kJpeg: return kJpegMaxEdge;
    case PictureFormat::kWebp: return kWebpMaxEdge;
  }
  SNUG_CHECK(false, "every format has a largest edge");
}

void check_text(std::string_view text) {
  if (text.find('\0') == std::string_view::npos && is_utf8(text)) return;
  throw Error(ErrorCode::kInvalidArgument, "the picture's metadata is not UTF-8 text, or contains NUL");
}

void check_metadata(const Metadata& metadata) {
  check_text(metadata.parameters);
  check_text(metadata.snug_json);
  for (const auto& [key, text] : metadata.others) {
    check_text(key);
    check_text(text);
  }
}

void check_picture(const Picture& picture, PictureFormat format) {
  SNUG_CHECK(picture.width > 0 && picture.height > 0, "a picture has pixels");
  const int64_t pixels = picture.width * picture.height;
  SNUG_CHECK(std::ssize(picture.rgb) == 3 * pixels, "three samples for each pixel");
  SNUG_CHECK(picture.alpha.empty() || std::ssize(picture.alpha) == pixels, "one alpha for each pixel");
  const int64_t limit = max_edge(format);
  if (picture.width <= limit && picture.height <= limit) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("a {} picture cannot be {} x {}; the limit is {} a side", format_name(format),
                          picture.width, picture.height, limit),
              "write PNG");
}

}  // namespace

std::vector<std::byte> encode_picture(const Picture& picture, PictureFormat format, const Metadata& metadata,
                                      std::optional<int> quality) {
  check_picture(picture, format);
  check_metadata(metadata);
  if (quality && (*quality < 1 || *quality > 100)) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("a quality of {} does not exist", *quality),
                "choose 1 to 100");
  }
  try {
    switch (format) {
      case PictureFormat::kPng: return encode_png(picture, metadata);
      case PictureFormat::kJpeg: return encode_jpeg(picture, metadata, quality.value_or(kJpegQuality));
      case PictureFormat::kWebp: return encode_webp(picture, metadata, quality.value_or(kWebpQuality));
    }
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory, "writing the picture needs more memory than there is");
  }
  SNUG_CHECK(false, "every format has an encoder");
}

}  // namespace snug
