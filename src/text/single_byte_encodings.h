// The encodings of one byte a character that text is taken for when it is UTF-8 and looks wrong: byte to
// character and back. Called by mojibake.cc and html_entities.cc.
//
// "Sloppy", as ftfy calls it: a byte that Windows assigns nothing stands for the control character of its
// number, as browsers have it, and byte 0x1A for U+FFFD, which is what a program left of a byte it did not
// know.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace snug {

// In the order in which they are tried.
enum class SingleByteEncoding : uint8_t {
  kLatin1,
  kWindows1252,
  kWindows1251,
  kWindows1250,
  kWindows1253,
  kWindows1254,
  kWindows1257,
  kIsoLatin2,
  kMacRoman,
  kCp437,
};
inline constexpr int kSingleByteEncodingCount = 10;

// Bytes 0x80 to 0xFF; 0 where nothing is assigned. Of all but Latin-1, in their order.
using UpperHalf = std::array<char16_t, 128>;
inline constexpr size_t kEncodingTableCount = 9;
extern const std::array<UpperHalf, kEncodingTableCount> kEncodingTables;

// Windows' encodings are the sloppy ones.
bool is_sloppy(SingleByteEncoding encoding);
char32_t character_of(SingleByteEncoding encoding, uint8_t byte);
std::optional<uint8_t> byte_of(SingleByteEncoding encoding, char32_t character);
// Whether the encoding itself assigns the byte.
bool is_assigned(SingleByteEncoding encoding, uint8_t byte);

}  // namespace snug
