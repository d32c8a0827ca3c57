#include "media/unicode.h"

#include <algorithm>
#include <cstdint>

namespace snug {
namespace {

constexpr uint32_t kReplacement = 0xfffd;
constexpr uint32_t kMalformed = 0xffffffff;

bool is_surrogate(uint32_t code) { return code >= 0xd800 && code <= 0xdfff; }

// The code point at `offset`, which moves behind it; kMalformed, and one byte further, when there is none.
uint32_t next_code_point(std::string_view text, size_t& offset) {
  const auto byte_at = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t lead = byte_at(offset++);
  if (lead < 0x80) return lead;
  const size_t following = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || text.size() - offset < following) return kMalformed;
  uint32_t code = lead & (0x3fU >> following);
  for (size_t i = 0; i < following; ++i) {
    const uint32_t byte = byte_at(offset + i);
    if ((byte & 0xc0) != 0x80) return kMalformed;
    code = code << 6 | (byte & 0x3f);
  }
  const uint32_t smallest = following == 3 ? 0x10000 : following == 2 ? 0x800 : 0x80;
  if (code < smallest || code > 0x10ffff || is_surrogate(code)) return kMalformed;
  offset += following;
  return code;
}

void append_utf8(std::string& text, uint32_t code) {
  const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

}  // namespace

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string to_valid_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string valid;
  size_t offset = 0;
  while (offset < text.size()) {
    const uint32_t code = next_code_point(text, offset);
    append_utf8(valid, code == kMalformed ? kReplacement : code);
  }
  return valid;
}

std::string latin1_to_utf8(std::string_view text) {
  std::string valid;
  for (const char c : text) append_utf8(valid, static_cast<unsigned char>(c));
  return valid;
}

std::string utf16_to_utf8(std::span<const std::byte> units, bool big_endian) {
  const auto unit_at = [&](size_t i) {
    const auto first = static_cast<uint32_t>(units[2 * i]);
    const auto second = static_cast<uint32_t>(units[2 * i + 1]);
    return big_endian ? first << 8 | second : second << 8 | first;
  };
  const size_t count = units.size() / 2;
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    uint32_t code = unit_at(i);
    const bool leads_pair = code >= 0xd800 && code < 0xdc00 && i + 1 < count;
    if (leads_pair && unit_at(i + 1) >= 0xdc00 && unit_at(i + 1) <= 0xdfff) {
      code = 0x10000 + ((code - 0xd800) << 10) + (unit_at(i + 1) - 0xdc00);
      ++i;
    }
    append_utf8(text, is_surrogate(code) ? kReplacement : code);
  }
  return text;
}

std::vector<std::byte> utf8_to_utf16_be(std::string_view text) {
  std::vector<std::byte> units;
  const auto put = [&](uint32_t unit) {
    units.push_back(static_cast<std::byte>(unit >> 8));
    units.push_back(static_cast<std::byte>(unit & 0xff));
  };
  size_t offset = 0;
  while (offset < text.size()) {
    uint32_t code = next_code_point(text, offset);
    if (code == kMalformed) code = kReplacement;
    if (code < 0x10000) {
      put(code);
    } else {
      put(0xd800 + ((code - 0x10000) >> 10));
      put(0xdc00 + ((code - 0x10000) & 0x3ff));
    }
  }
  return units;
}

}  // namespace snug
