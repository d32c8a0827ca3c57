#include "text/mojibake.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "text/mojibake_signs.h"
#include "text/single_byte_encodings.h"

namespace snug {
namespace {

using Bytes = std::vector<uint8_t>;

// Each round undoes one mistake; text that was mistaken more often is no text.
constexpr int kMostRounds = 32;

bool in(uint8_t byte, uint8_t first, uint8_t last) { return byte >= first && byte <= last; }
bool is_continuation(uint8_t byte) { return in(byte, 0x80, 0xbf); }

bool is_ascii(std::u32string_view text) {
  return std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; });
}

std::optional<Bytes> encode(SingleByteEncoding encoding, std::u32string_view text) {
  Bytes bytes;
  bytes.reserve(text.size());
  for (const char32_t c : text) {
    const auto byte = byte_of(encoding, c);
    if (!byte) return std::nullopt;
    bytes.push_back(*byte);
  }
  return bytes;
}

// Of one character of UTF-8 that begins at `i`, moved behind it; nothing where there is none. Java's two
// bytes for U+0000 and pairs of surrogates, each in three bytes, are taken for what they mean.
std::optional<char32_t> take_character(const Bytes& bytes, size_t* i) {
  const size_t left = bytes.size() - *i;
  const uint8_t* b = bytes.data() + *i;
  const auto bits = [&](size_t at) { return static_cast<char32_t>(b[at] & 0x3f); };
  const auto take = [&](size_t count, char32_t c) {
    *i += count;
    return c;
  };
  if (b[0] < 0x80) return take(1, b[0]);
  if (left < 2 || !is_continuation(b[1])) return std::nullopt;
  if (b[0] == 0xc0 && b[1] == 0x80) return take(2, 0);
  if (in(b[0], 0xc2, 0xdf)) return take(2, (b[0] & 0x1fU) << 6 | bits(1));
  if (left < 3 || !is_continuation(b[2])) return std::nullopt;
  if (in(b[0], 0xe0, 0xef)) {
    const char32_t c = (b[0] & 0x0fU) << 12 | bits(1) << 6 | bits(2);
    if (c < 0x800) return std::nullopt;
    if (c < 0xd800 || c > 0xdfff) return take(3, c);
    const bool pair =
        c < 0xdc00 && left >= 6 && b[3] == 0xed && in(b[4], 0xb0, 0xbf) && is_continuation(b[5]);
    if (!pair) return std::nullopt;
    return take(6, 0x10000 + ((c & 0x3ff) << 10 | (b[4] & 0x0fU) << 6 | bits(5)));
  }
  if (left < 4 || !is_continuation(b[3]) || !in(b[0], 0xf0, 0xf4)) return std::nullopt;
  const char32_t c = (b[0] & 0x07U) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3);
  if (c < 0x10000 || c > 0x10ffff) return std::nullopt;
  return take(4, c);
}

std::optional<std::u32string> decode(const Bytes& bytes) {
  std::u32string text;
  for (size_t i = 0; i < bytes.size();) {
    const auto c = take_character(bytes, &i);
    if (!c) return std::nullopt;
    text.push_back(*c);
  }
  return text;
}

// A sequence of UTF-8 in which a space stands for byte 0xA0, where what it would be is likely to be meant;
// returns its length, 0 for none.
size_t length_with_space(const Bytes& bytes, size_t i) {
  const size_t left = bytes.size() - i;
  const uint8_t* b = bytes.data() + i;
  // Bytes that U+0085 and U+00A0 end with are left alone.
  const auto rest = [](uint8_t byte) { return is_continuation(byte) && byte != 0x85 && byte != 0xa0; };
  constexpr std::array<uint8_t, 6> kFirstOfTwo = {0xc2, 0xc3, 0xc5, 0xce, 0xd0, 0xd9};
  if (left < 2) return 0;
  if (b[1] == ' ' && std::find(kFirstOfTwo.begin(), kFirstOfTwo.end(), b[0]) != kFirstOfTwo.end()) return 2;
  if (left < 3) return 0;
  if (in(b[0], 0xe2, 0xe3) && b[1] == ' ' && rest(b[2])) return 3;
  if (in(b[0], 0xe0, 0xe3) && rest(b[1]) && b[2] == ' ') return 3;
  if (left < 4 || b[0] != 0xf0) return 0;
  int spaces = 0;
  for (int k = 1; k < 4; ++k) {
    if (b[k] != ' ' && !is_continuation(b[k])) return 0;
    spaces += b[k] == ' ';
  }
  return spaces == 1 ? 4 : 0;
}

// Whether "\xc3 " at `i` is the French or Catalan word "a" with a grave accent rather than the beginning of a
// Portuguese one: a word by itself keeps the space behind it.
bool is_a_grave_word(const Bytes& bytes, size_t i) {
  if (bytes.size() - i < 2 || bytes[i] != 0xc3 || bytes[i + 1] != ' ') return false;
  const std::string_view rest(reinterpret_cast<const char*>(bytes.data()) + i + 2, bytes.size() - i - 2);
  for (const std::string_view end : {" ", "quele", "quela", "quilo", "s "}) {
    if (rest.starts_with(end)) return false;
  }
  return true;
}

// Puts back the bytes 0xA0 that became spaces.
Bytes restore_spaces(const Bytes& bytes) {
  bool any = false;
  for (size_t i = 0; i < bytes.size() && !any; ++i) any = length_with_space(bytes, i) > 0;
  if (!any) return bytes;
  Bytes words;
  for (size_t i = 0; i < bytes.size(); ++i) {
    words.push_back(bytes[i]);
    if (is_a_grave_word(bytes, i)) words.push_back(0xa0);
  }
  for (size_t i = 0; i < words.size();) {
    const size_t length = length_with_space(words, i);
    for (size_t k = 0; k < length; ++k) {
      if (words[i + k] == ' ') words[i + k] = 0xa0;
    }
    i += std::max<size_t>(1, length);
  }
  return words;
}

// A sequence of UTF-8 of which byte 0x1A, or at most one '?', stands for what was lost; returns its length, 0
// for none.
size_t length_with_loss(const Bytes& bytes, size_t i) {
  constexpr uint8_t kLost = 0x1a;
  const size_t left = bytes.size() - i;
  const uint8_t* b = bytes.data() + i;
  const auto lost = [](uint8_t byte) { return byte == kLost || byte == '?'; };
  const auto rest = [](uint8_t byte) { return byte == kLost || is_continuation(byte); };
  if (left >= 2 && in(b[0], 0xc2, 0xdf) && b[1] == kLost) return 2;
  if (left >= 2 && in(b[0], 0xc2, 0xc3) && b[1] == '?') return 2;
  // A pair of surrogates.
  if (left >= 6 && b[0] == 0xed && in(b[1], 0xa0, 0xaf) && b[3] == 0xed && in(b[4], 0xb0, 0xbf)) {
    const auto any = [&](uint8_t byte) { return lost(byte) || is_continuation(byte); };
    if ((lost(b[2]) && any(b[5])) || (any(b[2]) && lost(b[5]))) return 6;
  }
  if (left >= 3 && in(b[0], 0xe0, 0xef) && ((lost(b[1]) && rest(b[2])) || (rest(b[1]) && lost(b[2]))))
    return 3;
  if (left >= 4 && in(b[0], 0xf0, 0xf4)) {
    const bool four = (lost(b[1]) && rest(b[2]) && rest(b[3])) || (rest(b[1]) && lost(b[2]) && rest(b[3])) ||
                      (rest(b[1]) && rest(b[2]) && lost(b[3]));
    if (four) return 4;
  }
  return b[0] == kLost ? 1 : 0;
}

// What lost some of its bytes becomes U+FFFD whole.
Bytes replace_losses(const Bytes& bytes) {
  Bytes out;
  for (size_t i = 0; i < bytes.size();) {
    const size_t length = length_with_loss(bytes, i);
    if (length > 0) {
      out.insert(out.end(), {0xef, 0xbf, 0xbd});
    } else {
      out.push_back(bytes[i]);
    }
    i += std::max<size_t>(1, length);
  }
  return out;
}

// The text as UTF-8 that was taken for that encoding; nothing where it is none.
std::optional<std::u32string> decode_again(SingleByteEncoding encoding, Bytes bytes) {
  // In MacRoman these would be dashes with a space behind them.
  if (encoding != SingleByteEncoding::kMacRoman) bytes = restore_spaces(bytes);
  if (is_sloppy(encoding)) bytes = replace_losses(bytes);
  return decode(bytes);
}

// Sorted characters that bytes of UTF-8 are taken for in Latin-1 and Windows' encodings.
struct Clues {
  std::u32string first_of_two, first_of_three, first_of_four, further, telling;
};

std::u32string characters_of(std::initializer_list<std::pair<int, int>> ranges) {
  std::u32string characters;
  for (int e = 0; e <= static_cast<int>(SingleByteEncoding::kWindows1257); ++e) {
    for (const auto& [first, last] : ranges) {
      for (int byte = first; byte <= last; ++byte) {
        characters.push_back(character_of(static_cast<SingleByteEncoding>(e), static_cast<uint8_t>(byte)));
      }
    }
  }
  std::sort(characters.begin(), characters.end());
  characters.erase(std::unique(characters.begin(), characters.end()), characters.end());
  return characters;
}

const Clues& clues() {
  static const Clues made = [] {
    Clues c;
    c.first_of_two = characters_of({{0xc2, 0xdf}});
    c.first_of_three = characters_of({{0xe0, 0xef}});
    c.first_of_four =
        characters_of({{0xf0, 0xf0}, {0xf3, 0xf3}});  // the only ones that characters in use have
    // A no-break space may have become a space.
    c.further = characters_of({{0x20, 0x20}, {0x80, 0xbf}});
    // Dashes, quotes and the like say nothing of the character behind them.
    constexpr std::u32string_view kEverywhere =
        U" \u2013\u2014\u2015\u2018\u2019\u201a\u201c\u201d\u201e\u2022\u2026";
    for (const char32_t character : c.further) {
      if (kEverywhere.find(character) == std::u32string_view::npos) c.telling.push_back(character);
    }
    return c;
  }();
  return made;
}

bool contains(const std::u32string& sorted, char32_t character) {
  return std::binary_search(sorted.begin(), sorted.end(), character);
}

// How long the run of characters at `i` is that stand for sequences of UTF-8.
size_t length_of_run(std::u32string_view text, size_t i) {
  const Clues& c = clues();
  if (i > 0 && contains(c.telling, text[i - 1])) return 0;
  size_t end = i;
  while (end < text.size()) {
    const char32_t first = text[end];
    const size_t further = contains(c.first_of_two, first)     ? 1
                           : contains(c.first_of_three, first) ? 2
                           : contains(c.first_of_four, first)  ? 3
                                                               : 0;
    if (further == 0 || text.size() - end <= further) break;
    const std::u32string_view rest = text.substr(end + 1, further);
    if (!std::all_of(rest.begin(), rest.end(), [&](char32_t r) { return contains(c.further, r); })) break;
    end += 1 + further;
  }
  return end - i;
}

// Each run that looks wrong is fixed by itself.
std::u32string fix_runs(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = length_of_run(text, i);
    if (length == 0) {
      out.push_back(text[i++]);
      continue;
    }
    const std::u32string_view run = text.substr(i, length);
    // Shorter than the text, or this would not end.
    const bool fixable = length < text.size() && looks_like_mojibake(run);
    out += fixable ? fix_encoding(std::u32string(run)) : std::u32string(run);
    i += length;
  }
  return out;
}

// Latin-1's control characters, where all of them are something in Windows-1252.
std::optional<std::u32string> as_windows(const Bytes& latin1) {
  std::u32string text;
  for (const uint8_t byte : latin1) {
    if (!is_assigned(SingleByteEncoding::kWindows1252, byte)) return std::nullopt;
    text.push_back(byte < 0x80 ? byte : character_of(SingleByteEncoding::kWindows1252, byte));
  }
  return text;
}

std::u32string fix_once(const std::u32string& text) {
  if (is_ascii(text) || !looks_like_mojibake(text)) return text;
  for (int e = 0; e < kSingleByteEncodingCount; ++e) {
    const auto encoding = static_cast<SingleByteEncoding>(e);
    const auto bytes = encode(encoding, text);
    if (!bytes) continue;
    if (auto fixed = decode_again(encoding, *bytes)) return *fixed;
  }
  if (std::u32string fixed = fix_runs(text); fixed != text) return fixed;
  if (const auto bytes = encode(SingleByteEncoding::kLatin1, text)) {
    if (auto fixed = as_windows(*bytes); fixed && *fixed != text) return *fixed;
  }
  return fix_c1_controls(text);
}

}  // namespace

std::u32string fix_encoding(std::u32string text) {
  for (int round = 0; round < kMostRounds; ++round) {
    std::u32string fixed = fix_once(text);
    if (fixed == text) break;
    text = std::move(fixed);
  }
  return text;
}

std::u32string fix_c1_controls(std::u32string_view text) {
  std::u32string out(text);
  for (char32_t& c : out) {
    if (c >= 0x80 && c <= 0x9f) {
      c = character_of(SingleByteEncoding::kWindows1252, static_cast<uint8_t>(c));
    }
  }
  return out;
}

}  // namespace snug
