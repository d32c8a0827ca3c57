// The texts of a WebM file: EBML's elements within elements (RFC 8794), of Matroska's kinds (RFC 9559).

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "media/picture_bytes.h"
#include "media/video_metadata.h"

namespace snug {
namespace {

constexpr const char* kSaveAgain = "save or download the video again";
// A cluster is seconds of a video; a million of them is an attempt to keep the reader busy.
constexpr int kMostElements = 1'000'000;

constexpr uint64_t kEbmlId = 0x1a45dfa3;
constexpr uint64_t kSegmentId = 0x18538067;
constexpr uint64_t kTagsId = 0x1254c367;
constexpr uint64_t kTagId = 0x7373;
constexpr uint64_t kTargetsId = 0x63c0;
constexpr uint64_t kTargetTypeId = 0x68ca;
constexpr uint64_t kSimpleTagId = 0x67c8;
constexpr uint64_t kTagNameId = 0x45a3;
constexpr uint64_t kTagStringId = 0x4487;
constexpr uint64_t kUnknownLength = ~uint64_t{0};
constexpr size_t kLongestHeader = 4 + 8;

struct Header {
  uint64_t id;
  uint64_t length;  // of the body; kUnknownLength for what goes on to the end
  size_t bytes;     // of the header
};

// A number whose first byte says how many follow; with the mark of that in it (ids) or without (lengths). 0
// bytes: it is no number, or goes on beyond `bytes`.
struct Number {
  uint64_t value;
  size_t bytes;
  bool all_ones;
};
Number read_number(std::span<const std::byte> bytes, size_t longest, bool with_mark) {
  if (bytes.empty()) return {};
  const auto first = std::to_integer<uint8_t>(bytes[0]);
  const auto count = static_cast<size_t>(std::countl_zero(first)) + 1;
  if (count > longest || count > bytes.size()) return {};
  const auto mark = static_cast<uint8_t>(0x80U >> (count - 1));
  uint64_t value = with_mark ? first : first & (mark - 1U);
  bool all_ones = (first & (mark - 1U)) == mark - 1U;
  for (const std::byte byte : bytes.subspan(1, count - 1)) {
    value = value << 8 | std::to_integer<uint64_t>(byte);
    all_ones = all_ones && byte == std::byte{0xff};
  }
  return {value, count, all_ones};
}

std::optional<Header> read_header(std::span<const std::byte> bytes) {
  const Number id = read_number(bytes, 4, true);
  if (id.bytes == 0) return std::nullopt;
  const Number length = read_number(bytes.subspan(id.bytes), 8, false);
  if (length.bytes == 0) return std::nullopt;
  return Header{id.value, length.all_ones ? kUnknownLength : length.value, id.bytes + length.bytes};
}

struct Element {
  uint64_t id;
  std::span<const std::byte> body;
};

// Takes the first element off `rest`, which is in memory; none when the rest is none.
std::optional<Element> take_element(std::span<const std::byte>& rest) {
  const std::optional<Header> header = read_header(rest);
  if (!header || header->length > rest.size() - header->bytes) return std::nullopt;
  const Element element = {header->id, rest.subspan(header->bytes, header->length)};
  rest = rest.subspan(header->bytes + header->length);
  return element;
}

// A tag of one track or chapter, such as its duration, is not a text of the file.
bool is_global(std::span<const std::byte> targets) {
  while (const std::optional<Element> element = take_element(targets)) {
    if (element->id != kTargetTypeId) return false;
  }
  return true;
}

void read_tag(std::span<const std::byte> tag, VideoTexts& texts) {
  VideoTexts found;
  while (const std::optional<Element> element = take_element(tag)) {
    if (element->id == kTargetsId && !is_global(element->body)) return;
    if (element->id != kSimpleTagId) continue;
    std::string key;
    std::string text;
    std::span<const std::byte> rest = element->body;
    while (const std::optional<Element> part = take_element(rest)) {
      if (part->id == kTagNameId) key = as_text(part->body);
      if (part->id == kTagStringId) text = as_text(part->body);
    }
    // EBML allows zeros behind a text.
    text.resize(std::min(text.size(), text.find('\0')));
    if (!key.empty() && !text.empty()) found.emplace_back(std::move(key), std::move(text));
  }
  std::ranges::move(found, std::back_inserter(texts));
}

class Reader {
 public:
  Reader(const ByteSource& source, uint64_t limit_bytes) : source_(source), left_bytes_(limit_bytes) {}

  Metadata read() {
    uint64_t end = 0;
    const Header first = header_at(0, source_.size(), end);
    if (first.id != kEbmlId) throw Error(ErrorCode::kBadImage, "is not a WebM file", kSaveAgain);
    uint64_t segment_end = 0;
    const Header segment = header_at(end, source_.size(), segment_end);
    if (segment.id != kSegmentId) throw Error(ErrorCode::kBadImage, "has no WebM segment", kSaveAgain);
    uint64_t offset = end + segment.bytes;
    for (int count = 0; offset < segment_end; ++count) {
      if (count == kMostElements) throw Error(ErrorCode::kBadImage, "has too many WebM elements", kSaveAgain);
      uint64_t element_end = 0;
      const Header element = header_at(offset, segment_end, element_end);
      if (element.id == kTagsId) read_tags(offset + element.bytes, element_end);
      offset = element_end;
    }
    Metadata metadata;
    add_video_texts(texts_, metadata);
    return metadata;
  }

 private:
  // Sets `end` to where the element ends: the next begins there. One of unknown length (a live recording's)
  // is taken to go on to the end.
  Header header_at(uint64_t offset, uint64_t limit, uint64_t& end) const {
    std::array<std::byte, kLongestHeader> bytes = {};
    const size_t readable = std::min<uint64_t>(bytes.size(), limit - offset);
    source_.read_at(offset, std::span(bytes).first(readable));
    const std::optional<Header> header = read_header(std::span(bytes).first(readable));
    if (!header && readable < bytes.size()) {
      throw Error(ErrorCode::kTruncated, "ends within a WebM element", kSaveAgain);
    }
    if (!header)
      throw Error(ErrorCode::kBadImage, "has something else between its WebM elements", kSaveAgain);
    const uint64_t body = offset + header->bytes;
    if (header->length != kUnknownLength && header->length > limit - body) {
      throw Error(ErrorCode::kTruncated, "ends within a WebM element", kSaveAgain);
    }
    end = header->length == kUnknownLength ? limit : body + header->length;
    return *header;
  }

  void read_tags(uint64_t begin, uint64_t end) {
    check_metadata_bytes(end - begin, left_bytes_);
    left_bytes_ -= end - begin;
    std::vector<std::byte> bytes(end - begin);
    source_.read_at(begin, bytes);
    std::span<const std::byte> rest = bytes;
    while (const std::optional<Element> tag = take_element(rest)) {
      if (tag->id == kTagId) read_tag(tag->body, texts_);
    }
  }

  const ByteSource& source_;
  uint64_t left_bytes_;
  VideoTexts texts_;
};

}  // namespace

Metadata read_webm_metadata(const ByteSource& source, uint64_t limit_bytes) {
  return Reader(source, limit_bytes).read();
}

}  // namespace snug
