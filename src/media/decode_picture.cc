#include "media/decode_picture.h"

#include <new>
#include <vector>

#include "base/error.h"
#include "media/exif.h"
#include "media/jpeg.h"
#include "media/orientation.h"
#include "media/picture_bytes.h"
#include "media/picture_format.h"
#include "media/png.h"
#include "media/webp.h"

namespace snug {
namespace {

Picture decode_bytes(std::span<const std::byte> bytes, const PictureLimits& limits) {
  switch (format_from_bytes(bytes)) {
    case PictureFormat::kPng:
      return orient(decode_png(bytes, limits), read_exif(find_png_exif(bytes)).orientation);
    case PictureFormat::kJpeg:
      return orient(decode_jpeg(bytes, limits), read_exif(find_jpeg_exif(bytes)).orientation);
    case PictureFormat::kWebp:
      return orient(decode_webp(bytes, limits), read_exif(find_webp_exif(bytes)).orientation);
  }
  throw Error(ErrorCode::kInternal, "a picture format without a decoder");
}

}  // namespace

Picture decode_picture(const ByteSource& source, const PictureLimits& limits) {
  try {
    return decode_bytes(read_picture_bytes(source, limits.max_file_bytes), limits);
  } catch (Error& error) {
    error.in_file(source.name());
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory, "decoding needs more memory than there is", "use a smaller picture")
        .in_file(source.name());
  }
}

}  // namespace snug
