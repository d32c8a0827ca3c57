// The chunks of a PNG that are not pixels. They are walked here and not by libspng, because libspng reads the
// texts behind the pixels only after decoding these.
#include <algorithm>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <zlib.h>

#include "base/error.h"
#include "media/picture_bytes.h"
#include "media/png.h"
#include "media/unicode.h"

namespace snug {
namespace {

constexpr size_t kSignatureBytes = 8;
constexpr size_t kChunkFrameBytes = 12;  // length, type, CRC

struct Chunk {
  std::string_view type;
  std::span<const std::byte> data;
  bool intact;  // the CRC agrees
};

// The chunk at `offset`, which moves behind it; nothing at the end or when the chunk would pass it.
std::optional<Chunk> next_chunk(std::span<const std::byte> bytes, size_t& offset) {
  if (offset > bytes.size() || bytes.size() - offset < kChunkFrameBytes) return std::nullopt;
  const std::span<const std::byte> rest = bytes.subspan(offset);
  const size_t length = read_u32_be(rest.first<4>());
  if (length > rest.size() - kChunkFrameBytes) return std::nullopt;
  offset += kChunkFrameBytes + length;
  const std::span<const std::byte> checked = rest.subspan(4, 4 + length);
  const uint32_t stated = read_u32_be(rest.subspan(8 + length).first<4>());
  // A length fits in 31 bits of a file that read_picture_bytes admitted.
  const uLong actual =
      crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return Chunk{as_text(checked.first(4)), checked.subspan(4), stated == actual};
}

// Inflates a zlib stream, at most `limit_bytes` of it. The buffer grows with what comes out, so that a small
// chunk that claims nothing cannot make it large.
std::string inflate_text(std::string_view compressed, uint64_t limit_bytes) {
  z_stream stream = {};
  if (inflateInit(&stream) != Z_OK) throw Error(ErrorCode::kOutOfMemory, "zlib got no memory");
  struct End {
    z_stream& stream;
    ~End() { inflateEnd(&stream); }
  } const end{stream};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string text;
  int status = Z_OK;
  while (status == Z_OK) {
    char block[16 * 1024];
    stream.next_out = reinterpret_cast<Bytef*>(block);
    stream.avail_out = sizeof(block);
    status = inflate(&stream, Z_NO_FLUSH);
    const size_t produced = sizeof(block) - stream.avail_out;
    if (produced > limit_bytes - text.size()) {
      throw Error(ErrorCode::kTooLarge,
                  fmt::format("has a compressed text of more than {}", format_bytes(limit_bytes)),
                  "strip the picture's metadata");
    }
    text.append(block, produced);
    if (status == Z_OK && produced == 0 && stream.avail_in == 0) break;
  }
  if (status != Z_STREAM_END) {
    throw Error(ErrorCode::kBadImage, "has a compressed text that cannot be inflated",
                "save the picture again");
  }
  return text;
}

// Cuts the part before the next NUL off `rest`.
std::string_view cut_at_nul(std::string_view& rest) {
  const size_t nul = rest.find('\0');
  if (nul == std::string_view::npos) {
    throw Error(ErrorCode::kBadImage, "has a malformed text chunk", "save the picture again");
  }
  const std::string_view part = rest.substr(0, nul);
  rest.remove_prefix(nul + 1);
  return part;
}

uint8_t cut_byte(std::string_view& rest) {
  if (rest.empty()) throw Error(ErrorCode::kBadImage, "has a malformed text chunk", "save the picture again");
  const auto byte = static_cast<uint8_t>(rest.front());
  rest.remove_prefix(1);
  return byte;
}

// tEXt and zTXt are Latin-1 by the standard, but many programs put UTF-8 there: valid UTF-8 is taken as such.
std::string from_latin1_or_utf8(std::string_view text) {
  return is_utf8(text) ? std::string(text) : latin1_to_utf8(text);
}

struct KeyedText {
  std::string key;
  std::string text;
};

KeyedText read_text_chunk(const Chunk& chunk, uint64_t limit_bytes) {
  std::string_view rest = as_text(chunk.data);
  KeyedText result{from_latin1_or_utf8(cut_at_nul(rest)), {}};
  if (chunk.type == "tEXt") {
    result.text = from_latin1_or_utf8(rest);
  } else if (chunk.type == "zTXt") {
    cut_byte(rest);  // the compression method; there is only one
    result.text = from_latin1_or_utf8(inflate_text(rest, limit_bytes));
  } else {
    const bool compressed = cut_byte(rest) != 0;
    cut_byte(rest);    // the compression method
    cut_at_nul(rest);  // the language
    cut_at_nul(rest);  // the key, translated
    result.text = to_valid_utf8(compressed ? inflate_text(rest, limit_bytes) : std::string(rest));
  }
  return result;
}

}  // namespace

Metadata read_png_metadata(std::span<const std::byte> bytes, uint64_t limit_bytes) {
  Metadata metadata;
  uint64_t held_bytes = 0;
  size_t offset = kSignatureBytes;
  while (const std::optional<Chunk> chunk = next_chunk(bytes, offset)) {
    if (chunk->type == "IEND") return metadata;
    if (chunk->type != "tEXt" && chunk->type != "zTXt" && chunk->type != "iTXt") continue;
    if (!chunk->intact) {
      throw Error(ErrorCode::kBadImage, "has a text chunk with a wrong checksum", "save the picture again");
    }
    KeyedText text = read_text_chunk(*chunk, limit_bytes - held_bytes);
    held_bytes += text.key.size() + text.text.size();
    check_metadata_bytes(held_bytes, limit_bytes);
    metadata.add(std::move(text.key), std::move(text.text));
  }
  throw Error(ErrorCode::kTruncated, "ends before its last chunk", "save or download the picture again");
}

std::span<const std::byte> find_png_exif(std::span<const std::byte> bytes) {
  size_t offset = kSignatureBytes;
  while (const std::optional<Chunk> chunk = next_chunk(bytes, offset)) {
    if (chunk->type == "eXIf" && chunk->intact) return chunk->data;
    if (chunk->type == "IEND") break;
  }
  return {};
}

}  // namespace snug
