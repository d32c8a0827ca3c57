// The marker segments of a JPEG before its first scan. They are walked here so that reading how a picture was
// made needs no decoding and works on pictures whose pixels are broken.
#include <algorithm>
#include <optional>
#include <string>

#include "base/error.h"
#include "media/exif.h"
#include "media/jpeg.h"
#include "media/keyed_texts.h"
#include "media/picture_bytes.h"
#include "media/unicode.h"

namespace snug {
namespace {

using std::string_view_literals::operator""sv;

constexpr int kMarkerApp1 = 0xe1;
constexpr int kMarkerComment = 0xfe;
constexpr int kMarkerScan = 0xda;
constexpr int kMarkerEnd = 0xd9;
constexpr std::string_view kExifMark = "Exif\0\0"sv;

struct Segment {
  int marker;
  std::span<const std::byte> data;
};

// Walks from the bytes after SOI. A segment without contents (EOI, restart markers) has empty data.
class SegmentWalker {
 public:
  explicit SegmentWalker(std::span<const std::byte> bytes)
      : rest_(bytes.subspan(std::min<size_t>(2, bytes.size()))) {}

  // Nothing where the bytes end inside a segment, or where no marker stands.
  std::optional<Segment> next() {
    if (rest_.empty()) return std::nullopt;
    malformed_ = rest_[0] != std::byte{0xff};
    if (malformed_) return std::nullopt;
    while (!rest_.empty() && rest_[0] == std::byte{0xff}) rest_ = rest_.subspan(1);  // fill bytes
    if (rest_.empty()) return std::nullopt;
    const int marker = static_cast<int>(rest_[0]);
    rest_ = rest_.subspan(1);
    if (marker == 0x01 || (marker >= 0xd0 && marker <= kMarkerEnd)) return Segment{marker, {}};
    if (rest_.size() < 2) return std::nullopt;
    const size_t length = read_u16_be(rest_.first<2>());  // counts itself
    malformed_ = length < 2;
    if (malformed_ || length > rest_.size()) return std::nullopt;
    const Segment segment{marker, rest_.subspan(2, length - 2)};
    rest_ = rest_.subspan(length);
    return segment;
  }

  // Whether the walk stopped at something that is no segment; else the bytes ended.
  bool malformed() const { return malformed_; }

 private:
  bool malformed_ = false;
  std::span<const std::byte> rest_;
};

}  // namespace

Metadata read_jpeg_metadata(std::span<const std::byte> bytes, uint64_t limit_bytes) {
  Metadata metadata;
  std::string packed;
  std::string comment;
  uint64_t held_bytes = 0;
  SegmentWalker walker(bytes);
  while (const std::optional<Segment> segment = walker.next()) {
    const std::string_view text = as_text(segment->data);
    if (segment->marker == kMarkerScan || segment->marker == kMarkerEnd) {
      unpack_texts(packed, metadata);
      if (!comment.empty()) metadata.add("comment", to_valid_utf8(comment));
      return metadata;
    }
    if (segment->marker == kMarkerApp1 && text.starts_with(kExifMark)) {
      metadata.add("parameters", read_exif(segment->data).user_comment);
    }
    if (segment->marker != kMarkerComment) continue;
    check_metadata_bytes(held_bytes += text.size(), limit_bytes);
    if (text.starts_with(kKeyedTextsMark)) {
      packed += text.substr(kKeyedTextsMark.size());
    } else if (comment.empty()) {
      comment = text;
    }
  }
  throw Error(walker.malformed() ? ErrorCode::kBadImage : ErrorCode::kTruncated,
              walker.malformed() ? "has a malformed JPEG header" : "ends within its header",
              "save or download the picture again");
}

std::span<const std::byte> find_jpeg_exif(std::span<const std::byte> bytes) {
  SegmentWalker walker(bytes);
  while (const std::optional<Segment> segment = walker.next()) {
    if (segment->marker == kMarkerScan || segment->marker == kMarkerEnd) break;
    if (segment->marker == kMarkerApp1 && as_text(segment->data).starts_with(kExifMark)) return segment->data;
  }
  return {};
}

std::vector<JpegSegment> jpeg_metadata_segments(const Metadata& metadata) {
  std::vector<JpegSegment> segments;
  bool parameters_in_exif = false;
  if (!metadata.parameters.empty()) {
    const std::vector<std::byte> tiff = write_exif({.user_comment = metadata.parameters, .maker_note = {}});
    if (kExifMark.size() + tiff.size() <= kJpegSegmentBytes) {
      JpegSegment& segment = segments.emplace_back(JpegSegment{kMarkerApp1, {}});
      const std::span<const std::byte> mark = as_bytes(kExifMark);
      segment.data.assign(mark.begin(), mark.end());
      segment.data.insert(segment.data.end(), tiff.begin(), tiff.end());
      parameters_in_exif = true;
    }
  }
  const std::string packed = pack_texts(metadata, !parameters_in_exif);
  constexpr size_t kPieceBytes = kJpegSegmentBytes - kKeyedTextsMark.size();
  for (size_t offset = 0; offset < packed.size(); offset += kPieceBytes) {
    std::string piece(kKeyedTextsMark);
    piece += std::string_view(packed).substr(offset, kPieceBytes);
    const std::span<const std::byte> data = as_bytes(piece);
    segments.push_back({kMarkerComment, {data.begin(), data.end()}});
  }
  return segments;
}

}  // namespace snug
