#include "media/video_format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "media/picture_bytes.h"

namespace snug {
namespace {

using std::string_view_literals::operator""sv;

struct FormatInfo {
  VideoFormat format;
  std::string_view word;
  std::string_view name;
  std::string_view media_type;
  std::string_view ending;
};
constexpr std::array kFormats = {
    FormatInfo{VideoFormat::kMp4, "mp4", "MP4", "video/mp4", ".mp4"},
    FormatInfo{VideoFormat::kWebm, "webm", "WebM", "video/webm", ".webm"},
    FormatInfo{VideoFormat::kWebp, "webp", "WebP animation", "image/webp", ".webp"},
};
constexpr const char* kChoose = "choose mp4, webm or webp";

const FormatInfo& info(VideoFormat format) { return kFormats.at(static_cast<size_t>(format)); }

constexpr std::string_view kEbmlSignature = "\x1a\x45\xdf\xa3"sv;
// The brands of MP4 files with video: those of pictures (AVIF, HEIC) begin in the same way.
constexpr std::array kBrands = {"isom"sv, "iso2"sv, "iso4"sv, "iso5"sv, "iso6"sv, "mp41"sv,
                                "mp42"sv, "avc1"sv, "M4V "sv, "MSNV"sv, "qt  "sv};
constexpr size_t kVp8xFlags = 20;
constexpr uint8_t kAnimationFlag = 0x02;

}  // namespace

std::string_view video_format_word(VideoFormat format) { return info(format).word; }
std::string_view format_name(VideoFormat format) { return info(format).name; }
std::string_view media_type(VideoFormat format) { return info(format).media_type; }
std::string_view file_ending(VideoFormat format) { return info(format).ending; }

VideoFormat video_format_from_word(std::string_view word) {
  for (const FormatInfo& row : kFormats) {
    if (row.word == word) return row.format;
  }
  throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no video format '{}'", word), kChoose);
}

VideoFormat video_format_from_name(std::string_view path) {
  std::string name(path.substr(path.find_last_of('/') + 1));  // npos + 1 is 0
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const FormatInfo& row : kFormats) {
    if (name.size() > row.ending.size() && name.ends_with(row.ending)) return row.format;
  }
  throw Error(ErrorCode::kInvalidArgument, fmt::format("'{}' does not say which video format to write", path),
              "end the name with .mp4, .webm or .webp");
}

std::optional<VideoFormat> video_format_from_bytes(std::span<const std::byte> start) {
  const std::string_view text = as_text(start.first(std::min(start.size(), kVideoSignatureBytes)));
  if (text.starts_with(kEbmlSignature)) return VideoFormat::kWebm;
  if (text.size() >= 12 && text.substr(4, 4) == "ftyp" &&
      std::ranges::find(kBrands, text.substr(8, 4)) != kBrands.end()) {
    return VideoFormat::kMp4;
  }
  if (text.size() > kVp8xFlags && text.starts_with("RIFF") && text.substr(8, 8) == "WEBPVP8X" &&
      (static_cast<uint8_t>(text[kVp8xFlags]) & kAnimationFlag) != 0) {
    return VideoFormat::kWebp;
  }
  return std::nullopt;
}

}  // namespace snug
