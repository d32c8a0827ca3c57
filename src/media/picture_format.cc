#include "media/picture_format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n"sv;
constexpr std::string_view kJpegSignature = "\xff\xd8\xff"sv;
constexpr std::string_view kRiffSignature = "RIFF"sv;  // then four bytes of length, then WEBP
constexpr size_t kLongestSignature = 12;

struct Extension {
  std::string_view text;
  PictureFormat format;
};
constexpr std::array kExtensions = {
    Extension{".png", PictureFormat::kPng}, Extension{".jpg", PictureFormat::kJpeg},
    Extension{".jpeg", PictureFormat::kJpeg}, Extension{".webp", PictureFormat::kWebp}};

struct Signature {
  size_t offset;
  std::string_view bytes;
  std::string_view name;
};
// Formats that people do hand in: naming the format helps more than "not a picture".
constexpr std::array kUnread = {
    Signature{0, "GIF8"sv, "GIF"},         Signature{0, "BM"sv, "BMP"},
    Signature{0, "II*\0"sv, "TIFF"},       Signature{0, "MM\0*"sv, "TIFF"},
    Signature{4, "ftypavif"sv, "AVIF"},    Signature{4, "ftypheic"sv, "HEIC"},
    Signature{0, "\xff\x0a"sv, "JPEG XL"}, Signature{4, "JXL \r\n\x87\n"sv, "JPEG XL"},
};

}  // namespace

std::string_view format_name(PictureFormat format) {
  switch (format) {
    case PictureFormat::kPng: return "PNG";
    case PictureFormat::kJpeg: return "JPEG";
    case PictureFormat::kWebp: return "WebP";
  }
  SNUG_CHECK(false, "every format has a name");
}

std::string_view media_type(PictureFormat format) {
  switch (format) {
    case PictureFormat::kPng: return "image/png";
    case PictureFormat::kJpeg: return "image/jpeg";
    case PictureFormat::kWebp: return "image/webp";
  }
  SNUG_CHECK(false, "every format has a media type");
}

PictureFormat format_from_name(std::string_view path) {
  std::string name(path.substr(path.find_last_of('/') + 1));  // npos + 1 is 0
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Extension& extension : kExtensions) {
    if (name.size() > extension.text.size() && name.ends_with(extension.text)) return extension.format;
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("'{}' does not say which picture format to write", path),
              "end the name with .png, .jpg, .jpeg or .webp");
}

PictureFormat format_from_bytes(std::span<const std::byte> bytes) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min(bytes.size(), kLongestSignature));
  if (start.starts_with(kPngSignature)) return PictureFormat::kPng;
  if (start.starts_with(kJpegSignature)) return PictureFormat::kJpeg;
  if (start.starts_with(kRiffSignature) && start.substr(std::min<size_t>(8, start.size())) == "WEBP"sv) {
    return PictureFormat::kWebp;
  }
  for (const Signature& signature : kUnread) {
    if (start.substr(std::min(signature.offset, start.size())).starts_with(signature.bytes)) {
      throw Error(ErrorCode::kUnsupportedImage,
                  fmt::format("is a {} picture, which is not read", signature.name),
                  "convert it to PNG, JPEG or WebP");
    }
  }
  for (const std::string_view signature : {kPngSignature, kJpegSignature, kRiffSignature}) {
    if (start.size() < kLongestSignature && (signature.starts_with(start) || start.starts_with(signature))) {
      throw Error(ErrorCode::kTruncated, fmt::format("has only {} bytes", start.size()),
                  "give a PNG, JPEG or WebP picture");
    }
  }
  throw Error(ErrorCode::kBadImage, "is not a picture in a known format", "give a PNG, JPEG or WebP picture");
}

}  // namespace snug
