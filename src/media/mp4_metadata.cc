// The texts of an MP4 file: boxes within boxes, each with its length in front (ISO/IEC 14496-12), and the two
// forms in which texts stand in them (Apple's mdta keys, iTunes' four letters).

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "media/picture_bytes.h"
#include "media/video_metadata.h"

namespace snug {
namespace {

using std::string_view_literals::operator""sv;

constexpr const char* kSaveAgain = "save or download the video again";
constexpr size_t kHeaderBytes = 8;
// In any file there are a handful at the top and in moov; more is an attempt to keep the reader busy.
constexpr int kMostBoxes = 10'000;

struct Box {
  std::string_view type;
  std::span<const std::byte> body;
};

// Takes the first box off `rest`, which is in memory; none when the rest is no box.
std::optional<Box> take_box(std::span<const std::byte>& rest) {
  if (rest.size() < kHeaderBytes) return std::nullopt;
  const size_t length = read_u32_be(rest.first<4>());
  if (length < kHeaderBytes || length > rest.size()) return std::nullopt;
  const Box box = {as_text(rest.subspan(4, 4)), rest.subspan(kHeaderBytes, length - kHeaderBytes)};
  rest = rest.subspan(length);
  return box;
}

std::optional<std::span<const std::byte>> find_box(std::span<const std::byte> rest, std::string_view type) {
  while (const std::optional<Box> box = take_box(rest)) {
    if (box->type == type) return box->body;
  }
  return std::nullopt;
}

// Where a box's contents lie in the file.
struct Extent {
  uint64_t begin;
  uint64_t end;
};

// The first box of that type in `within`, without reading the others; none when there is none.
std::optional<Extent> find_extent(const ByteSource& source, Extent within, std::string_view type) {
  uint64_t offset = within.begin;
  for (int count = 0; within.end - offset >= kHeaderBytes; ++count) {
    if (count == kMostBoxes) throw Error(ErrorCode::kBadImage, "has too many MP4 boxes", kSaveAgain);
    std::array<std::byte, 16> header = {};
    const size_t readable = std::min<uint64_t>(header.size(), within.end - offset);
    source.read_at(offset, std::span(header).first(readable));
    uint64_t length = read_u32_be(std::span(header).first<4>());
    uint64_t header_bytes = kHeaderBytes;
    if (length == 0) length = within.end - offset;  // to the end of what it is in
    if (length == 1) {                              // a length of 64 bits follows
      if (readable < header.size()) break;
      length = static_cast<uint64_t>(read_u32_be(std::span(header).subspan<8, 4>())) << 32 |
               read_u32_be(std::span(header).subspan<12, 4>());
      header_bytes = header.size();
    }
    if (length < header_bytes)
      throw Error(ErrorCode::kBadImage, "has an MP4 box without a length", kSaveAgain);
    if (length > within.end - offset) {
      throw Error(ErrorCode::kTruncated, "ends within one of its MP4 boxes", kSaveAgain);
    }
    if (as_text(std::span(header).subspan(4, 4)) == type)
      return Extent{offset + header_bytes, offset + length};
    offset += length;
  }
  return std::nullopt;
}

// iTunes' names of the keys that Snug's have words for; \251 is the copyright sign in Mac Roman.
struct Letters {
  std::string_view type;
  std::string_view key;
};
constexpr std::array kLetters = {Letters{"\251nam"sv, "title"},       Letters{"\251cmt"sv, "comment"},
                                 Letters{"\251des"sv, "description"}, Letters{"desc"sv, "description"},
                                 Letters{"\251ART"sv, "artist"},      Letters{"\251too"sv, "encoder"}};

// mdta's list: one key for each number from 1.
std::vector<std::string> read_keys(std::span<const std::byte> body) {
  std::vector<std::string> keys;
  if (body.size() < 8) return keys;
  body = body.subspan(8);  // version, flags and the count, which the boxes say too
  while (const std::optional<Box> box = take_box(body)) keys.emplace_back(as_text(box->body));
  return keys;
}

std::string_view key_of(std::string_view type, const std::vector<std::string>& keys) {
  for (const Letters& letters : kLetters) {
    if (letters.type == type) return letters.key;
  }
  const uint32_t number = read_u32_be(as_bytes(type).first<4>());
  return number >= 1 && number <= keys.size() ? std::string_view(keys[number - 1]) : std::string_view();
}

VideoTexts read_texts(std::span<const std::byte> meta) {
  // ISO's meta has version and flags in front, QuickTime's has not.
  if (meta.size() >= kHeaderBytes && as_text(meta.subspan(4, 4)) != "hdlr") meta = meta.subspan(4);
  const std::vector<std::string> keys =
      read_keys(find_box(meta, "keys").value_or(std::span<const std::byte>()));
  std::span<const std::byte> list = find_box(meta, "ilst").value_or(std::span<const std::byte>());
  VideoTexts texts;
  while (const std::optional<Box> item = take_box(list)) {
    const std::optional<std::span<const std::byte>> data = find_box(item->body, "data");
    const std::string_view key = key_of(item->type, keys);
    constexpr uint32_t kUtf8 = 1;
    if (key.empty() || !data || data->size() < 8 || read_u32_be(data->first<4>()) != kUtf8) continue;
    texts.emplace_back(key, as_text(data->subspan(8)));
  }
  return texts;
}

}  // namespace

Metadata read_mp4_metadata(const ByteSource& source, uint64_t limit_bytes) {
  Metadata metadata;
  const std::optional<Extent> index = find_extent(source, {0, source.size()}, "moov");
  if (!index)
    throw Error(ErrorCode::kTruncated, "has no index: it ends before its recording did", kSaveAgain);
  const std::optional<Extent> user_data = find_extent(source, *index, "udta");
  std::optional<Extent> meta;
  if (user_data) meta = find_extent(source, *user_data, "meta");
  if (!meta) meta = find_extent(source, *index, "meta");  // where QuickTime has it
  if (!meta) return metadata;
  check_metadata_bytes(meta->end - meta->begin, limit_bytes);
  std::vector<std::byte> bytes(meta->end - meta->begin);
  source.read_at(meta->begin, bytes);
  add_video_texts(read_texts(bytes), metadata);
  return metadata;
}

}  // namespace snug
