#include "media/exif.h"

#include <cstdint>
#include <optional>
#include <string_view>

#include "media/picture_bytes.h"
#include "media/unicode.h"

namespace snug {
namespace {

using std::string_view_literals::operator""sv;

constexpr uint32_t kOrientation = 0x0112;
constexpr uint32_t kExifFolder = 0x8769;
constexpr uint32_t kMakerNote = 0x927c;
constexpr uint32_t kUserComment = 0x9286;

constexpr uint32_t kTypeShort = 3;
constexpr uint32_t kTypeLong = 4;
constexpr uint32_t kTypeUndefined = 7;

constexpr std::string_view kAsciiCharset = "ASCII\0\0\0"sv;
constexpr std::string_view kUnicodeCharset = "UNICODE\0"sv;

// Reads one folder's entries of a TIFF structure; every offset is checked against its end.
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::byte> bytes) : bytes_(bytes) {
    if (as_text(bytes_).starts_with("MM\0*"sv)) valid_ = big_endian_ = true;
    if (as_text(bytes_).starts_with("II*\0"sv)) valid_ = true;
  }

  bool valid() const { return valid_; }
  bool big_endian() const { return big_endian_; }
  uint32_t first_folder() const { return u32(4).value_or(0); }

  std::optional<uint32_t> number(uint32_t folder, uint32_t tag) const {
    const std::optional<uint64_t> entry = find(folder, tag);
    if (!entry) return std::nullopt;
    const std::optional<uint32_t> type = u16(*entry + 2);
    if (type == kTypeShort) return u16(*entry + 8);
    if (type == kTypeLong) return u32(*entry + 8);
    return std::nullopt;
  }

  // The bytes of an UNDEFINED field of more than four bytes (shorter ones stand elsewhere and hold no text).
  std::span<const std::byte> undefined(uint32_t folder, uint32_t tag) const {
    const std::optional<uint64_t> entry = find(folder, tag);
    if (!entry || u16(*entry + 2) != kTypeUndefined) return {};
    const uint64_t count = u32(*entry + 4).value_or(0);
    const uint64_t offset = u32(*entry + 8).value_or(0);
    if (count <= 4 || offset > bytes_.size() || count > bytes_.size() - offset) return {};
    return bytes_.subspan(offset, count);
  }

 private:
  std::optional<uint32_t> u16(uint64_t offset) const {
    if (offset + 2 > bytes_.size()) return std::nullopt;
    const uint32_t value = read_u16_be(bytes_.subspan(offset).first<2>());
    return big_endian_ ? value : (value & 0xff) << 8 | value >> 8;
  }
  std::optional<uint32_t> u32(uint64_t offset) const {
    if (offset + 4 > bytes_.size()) return std::nullopt;
    const std::span<const std::byte, 4> value = bytes_.subspan(offset).first<4>();
    return big_endian_ ? read_u32_be(value) : read_u32_le(value);
  }
  std::optional<uint64_t> find(uint64_t folder, uint32_t tag) const {
    const uint32_t entries = u16(folder).value_or(0);
    for (uint64_t i = 0; i < entries; ++i) {
      const uint64_t entry = folder + 2 + 12 * i;
      if (entry + 12 > bytes_.size()) return std::nullopt;
      if (u16(entry) == tag) return entry;
    }
    return std::nullopt;
  }

  std::span<const std::byte> bytes_;
  bool valid_ = false;
  bool big_endian_ = false;
};

// The standard does not say the byte order, and a picture saved again often has its TIFF order changed but
// not its comment's. In any real comment most units below 0x100 are spaces, letters and digits of a settings
// line.
std::string decode_utf16_comment(std::span<const std::byte> units, bool tiff_big_endian) {
  int64_t balance = 0;  // positive: high bytes come first
  for (size_t i = 0; i + 1 < units.size(); i += 2) {
    if (units[i] == std::byte{0} && units[i + 1] != std::byte{0}) ++balance;
    if (units[i] != std::byte{0} && units[i + 1] == std::byte{0}) --balance;
  }
  return utf16_to_utf8(units, balance == 0 ? tiff_big_endian : balance > 0);
}

std::string decode_user_comment(std::span<const std::byte> bytes, bool tiff_big_endian) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with(kUnicodeCharset)) {
    return decode_utf16_comment(bytes.subspan(kUnicodeCharset.size()), tiff_big_endian);
  }
  if (text.starts_with(kAsciiCharset)) return to_valid_utf8(text.substr(kAsciiCharset.size()));
  return {};  // JIS, or a camera's blank filling
}

void put_u16(std::vector<std::byte>& out, uint32_t value) {
  out.push_back(static_cast<std::byte>(value >> 8 & 0xff));
  out.push_back(static_cast<std::byte>(value & 0xff));
}
void put_u32(std::vector<std::byte>& out, uint32_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value & 0xffff);
}
void put(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

Exif read_exif(std::span<const std::byte> bytes) {
  if (as_text(bytes).starts_with("Exif\0\0"sv)) bytes = bytes.subspan(6);
  Exif exif;
  const TiffReader tiff(bytes);
  if (!tiff.valid()) return exif;
  const uint32_t orientation = tiff.number(tiff.first_folder(), kOrientation).value_or(1);
  if (orientation >= 1 && orientation <= 8) exif.orientation = static_cast<int>(orientation);
  if (const auto folder = tiff.number(tiff.first_folder(), kExifFolder)) {
    exif.user_comment = decode_user_comment(tiff.undefined(*folder, kUserComment), tiff.big_endian());
    exif.maker_note = as_text(tiff.undefined(*folder, kMakerNote));
  }
  return exif;
}

std::vector<std::byte> write_exif(const Exif& exif) {
  struct Field {
    uint32_t tag;
    std::vector<std::byte> bytes;
  };
  std::vector<Field> fields;  // in the order of their tags, as TIFF wants
  if (!exif.maker_note.empty()) {
    const std::span<const std::byte> note = as_bytes(exif.maker_note);
    fields.push_back({kMakerNote, {note.begin(), note.end()}});
  }
  if (!exif.user_comment.empty()) {
    Field& field = fields.emplace_back(Field{kUserComment, {}});
    put(field.bytes, as_bytes(kUnicodeCharset));
    put(field.bytes, utf8_to_utf16_be(exif.user_comment));
  }

  constexpr uint32_t kFirstFolder = 8;
  constexpr uint32_t kSecondFolder = kFirstFolder + 2 + 12 + 4;
  auto value_offset = static_cast<uint32_t>(kSecondFolder + 2 + 12 * fields.size() + 4);
  size_t total_bytes = value_offset;
  for (const Field& field : fields) total_bytes += field.bytes.size();
  std::vector<std::byte> out;
  out.reserve(total_bytes);
  put_u16(out, 0x4d4d);  // "MM": big-endian
  put_u16(out, 42);
  put_u32(out, kFirstFolder);
  put_u16(out, 1);
  put_u16(out, kExifFolder);
  put_u16(out, kTypeLong);
  put_u32(out, 1);
  put_u32(out, kSecondFolder);
  put_u32(out, 0);  // no further folder
  put_u16(out, static_cast<uint32_t>(fields.size()));
  for (const Field& field : fields) {
    put_u16(out, field.tag);
    put_u16(out, kTypeUndefined);
    put_u32(out, static_cast<uint32_t>(field.bytes.size()));
    put_u32(out, value_offset);
    value_offset += static_cast<uint32_t>(field.bytes.size());
  }
  put_u32(out, 0);
  for (const Field& field : fields) put(out, field.bytes);
  return out;
}

}  // namespace snug
