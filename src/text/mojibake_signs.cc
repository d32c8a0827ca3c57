#include "text/mojibake_signs.h"

#include <array>
#include <cstdint>
#include <vector>

#include "text/unicode_text.h"

namespace snug {
namespace {

// What a character is, in text that was taken for the wrong encoding and in text that was not. The first 14
// are ftfy's.
enum Category : uint32_t {
  kCommon = 1 << 0,  // in both
  kC1 = 1 << 1,      // control characters without any use
  kBad = 1 << 2,     // hardly ever meant
  kLaw = 1 << 3,
  kCurrency = 1 << 4,
  kOpening = 1 << 5,  // punctuation
  kClosing = 1 << 6,
  kNumeric = 1 << 7,
  kFaces = 1 << 8,  // letters that faces are made of
  kUpperAccented = 1 << 9,
  kLowerAccented = 1 << 10,
  kUpperCommon = 1 << 11,  // of Greek and Cyrillic
  kLowerCommon = 1 << 12,
  kBox = 1 << 13,
  kAsciiLower = 1 << 14,
  kAsciiUpper = 1 << 15,
  kSpace = 1 << 16,  // any whitespace
  kWord = 1 << 17,   // a letter, a number or '_'
  kNewline = 1 << 18,
};
constexpr uint32_t kAccented = kLowerAccented | kUpperAccented;
constexpr uint32_t kAsciiLetter = kAsciiLower | kAsciiUpper;
constexpr uint32_t kPunctuation = kOpening | kClosing;

struct Range {
  char32_t first, last;
  uint32_t category;
};

// clang-format off
constexpr Range kRanges[] = {
    {0xa0, 0xa0, kCommon}, {0xad, 0xad, kCommon}, {0xb4, 0xb4, kCommon}, {0xb7, 0xb7, kCommon},
    {0x2013, 0x2015, kCommon}, {0x2019, 0x2019, kCommon}, {0x2026, 0x2026, kCommon},
    {0x80, 0x9f, kC1},
    {0xa4, 0xa4, kBad}, {0xa6, 0xa6, kBad}, {0xa8, 0xa8, kBad}, {0xaa, 0xaa, kBad}, {0xac, 0xac, kBad},
    {0xaf, 0xaf, kBad}, {0xb8, 0xb8, kBad}, {0xba, 0xba, kBad}, {0x192, 0x192, kBad}, {0x2c6, 0x2c7, kBad},
    {0x2d8, 0x2d8, kBad}, {0x2db, 0x2dc, kBad}, {0x2020, 0x2021, kBad}, {0x2030, 0x2030, kBad},
    {0x2310, 0x2310, kBad}, {0x25ca, 0x25ca, kBad}, {0xfffd, 0xfffd, kBad},
    {0xa7, 0xa7, kLaw}, {0xb6, 0xb6, kLaw},
    {0xa2, 0xa3, kCurrency}, {0xa5, 0xa5, kCurrency}, {0x20a7, 0x20a7, kCurrency},
    {0x20ac, 0x20ac, kCurrency},
    {0xa1, 0xa1, kOpening}, {0xa9, 0xa9, kOpening}, {0xab, 0xab, kOpening}, {0xbf, 0xbf, kOpening},
    {0x384, 0x385, kOpening}, {0x2018, 0x2018, kOpening}, {0x201a, 0x201a, kOpening},
    {0x201c, 0x201c, kOpening}, {0x201e, 0x201e, kOpening}, {0x2022, 0x2022, kOpening},
    {0x2039, 0x2039, kOpening}, {0xf8ff, 0xf8ff, kOpening},
    {0xae, 0xae, kClosing}, {0xbb, 0xbb, kClosing}, {0x2dd, 0x2dd, kClosing}, {0x201d, 0x201d, kClosing},
    {0x203a, 0x203a, kClosing}, {0x2122, 0x2122, kClosing},
    {0xb1, 0xb3, kNumeric}, {0xb5, 0xb5, kNumeric}, {0xb9, 0xb9, kNumeric}, {0xbc, 0xbe, kNumeric},
    {0xd7, 0xd7, kNumeric}, {0xf7, 0xf7, kNumeric}, {0x2044, 0x2044, kNumeric}, {0x2116, 0x2116, kNumeric},
    {0x2202, 0x2202, kNumeric}, {0x2206, 0x2206, kNumeric}, {0x220f, 0x220f, kNumeric},
    {0x2211, 0x2211, kNumeric}, {0x221a, 0x221a, kNumeric}, {0x221e, 0x221e, kNumeric},
    {0x2229, 0x2229, kNumeric}, {0x222b, 0x222b, kNumeric}, {0x2248, 0x2248, kNumeric},
    {0x2260, 0x2261, kNumeric}, {0x2264, 0x2265, kNumeric},
    {0xb0, 0xb0, kFaces}, {0xd2, 0xd6, kFaces}, {0xd9, 0xdc, kFaces}, {0xf2, 0xf6, kFaces},
    {0xf8, 0xfc, kFaces}, {0x14c, 0x14c, kFaces}, {0x150, 0x150, kFaces}, {0x16a, 0x16a, kFaces},
    {0x172, 0x172, kFaces},
    {0xc0, 0xd1, kUpperAccented}, {0xd8, 0xd8, kUpperAccented}, {0xdc, 0xdd, kUpperAccented},
    {0x100, 0x100, kUpperAccented}, {0x102, 0x102, kUpperAccented}, {0x104, 0x104, kUpperAccented},
    {0x106, 0x106, kUpperAccented}, {0x10c, 0x10c, kUpperAccented}, {0x10e, 0x10e, kUpperAccented},
    {0x110, 0x110, kUpperAccented}, {0x112, 0x112, kUpperAccented}, {0x116, 0x116, kUpperAccented},
    {0x118, 0x118, kUpperAccented}, {0x11a, 0x11a, kUpperAccented}, {0x11e, 0x11e, kUpperAccented},
    {0x122, 0x122, kUpperAccented}, {0x12a, 0x12a, kUpperAccented}, {0x130, 0x130, kUpperAccented},
    {0x136, 0x136, kUpperAccented}, {0x139, 0x139, kUpperAccented}, {0x13b, 0x13b, kUpperAccented},
    {0x13d, 0x13d, kUpperAccented}, {0x141, 0x141, kUpperAccented}, {0x143, 0x143, kUpperAccented},
    {0x145, 0x145, kUpperAccented}, {0x147, 0x147, kUpperAccented}, {0x152, 0x152, kUpperAccented},
    {0x158, 0x158, kUpperAccented}, {0x15a, 0x15a, kUpperAccented}, {0x15e, 0x15e, kUpperAccented},
    {0x160, 0x160, kUpperAccented}, {0x162, 0x162, kUpperAccented}, {0x164, 0x164, kUpperAccented},
    {0x16e, 0x16e, kUpperAccented}, {0x170, 0x170, kUpperAccented}, {0x178, 0x179, kUpperAccented},
    {0x17b, 0x17b, kUpperAccented}, {0x17d, 0x17d, kUpperAccented}, {0x490, 0x490, kUpperAccented},
    {0xdf, 0xf1, kLowerAccented}, {0xfc, 0xfc, kLowerAccented}, {0x101, 0x101, kLowerAccented},
    {0x103, 0x103, kLowerAccented}, {0x105, 0x105, kLowerAccented}, {0x107, 0x107, kLowerAccented},
    {0x10d, 0x10d, kLowerAccented}, {0x10f, 0x10f, kLowerAccented}, {0x111, 0x111, kLowerAccented},
    {0x113, 0x113, kLowerAccented}, {0x117, 0x117, kLowerAccented}, {0x119, 0x119, kLowerAccented},
    {0x11b, 0x11b, kLowerAccented}, {0x11f, 0x11f, kLowerAccented}, {0x123, 0x123, kLowerAccented},
    {0x12b, 0x12b, kLowerAccented}, {0x12f, 0x12f, kLowerAccented}, {0x137, 0x137, kLowerAccented},
    {0x13a, 0x13a, kLowerAccented}, {0x13c, 0x13c, kLowerAccented}, {0x13e, 0x13e, kLowerAccented},
    {0x142, 0x142, kLowerAccented}, {0x153, 0x153, kLowerAccented}, {0x155, 0x155, kLowerAccented},
    {0x15b, 0x15b, kLowerAccented}, {0x15f, 0x15f, kLowerAccented}, {0x161, 0x161, kLowerAccented},
    {0x165, 0x165, kLowerAccented}, {0x17a, 0x17a, kLowerAccented}, {0x17c, 0x17c, kLowerAccented},
    {0x17e, 0x17e, kLowerAccented}, {0x491, 0x491, kLowerAccented}, {0xfb01, 0xfb02, kLowerAccented},
    {0xde, 0xde, kUpperCommon}, {0x386, 0x386, kUpperCommon}, {0x388, 0x38a, kUpperCommon},
    {0x38c, 0x38c, kUpperCommon}, {0x38e, 0x38f, kUpperCommon}, {0x391, 0x3ab, kUpperCommon},
    {0x401, 0x42f, kUpperCommon},
    {0x3ac, 0x3c9, kLowerCommon}, {0x430, 0x45f, kLowerCommon},
    {0x2502, 0x2502, kBox}, {0x250c, 0x250c, kBox}, {0x2510, 0x2510, kBox}, {0x2518, 0x2518, kBox},
    {0x251c, 0x251c, kBox}, {0x2524, 0x2524, kBox}, {0x252c, 0x252c, kBox}, {0x253c, 0x253c, kBox},
    {0x2550, 0x256c, kBox}, {0x2580, 0x2580, kBox}, {0x2584, 0x2584, kBox}, {0x2588, 0x2588, kBox},
    {0x258c, 0x258c, kBox}, {0x2590, 0x2593, kBox},
};
// clang-format on

// One place of a sequence: a character of any of the categories, or one of `also`; or, where `other`, any
// character but those.
struct Place {
  uint32_t categories = 0;
  std::u32string_view also = {};
  bool other = false;
};

struct Sequence {
  std::array<Place, 6> places;  // the first that takes nothing ends it
  bool at_start = false;        // of the text alone
};

constexpr uint32_t kSigns =
    kAccented | kBox | kPunctuation | kCurrency | kNumeric | kLaw;  // beside which kBad is telling
constexpr uint32_t kBehindArabic = kCommon | kCurrency | kBad | kNumeric | kOpening;
constexpr uint32_t kBetweenCapitals = kC1 | kBad | kPunctuation | kCurrency;
constexpr std::u32string_view kArabicLeads = U"\u00d8\u00d9",
                              kBehindArabicToo = U"\u0178\u0160\u00ae\u00b0\u00b5\u00bb";
constexpr std::u32string_view kCyrillicLeads = U"\u0412\u0413\u0420\u0421",
                              kGreekLeads = U"\u0392\u0393\u039e\u039f";
constexpr std::u32string_view kAWithHat = U"\u00c2", kAWithTildeOrHat = U"\u00c3\u00c2", kBlank = U" ";

constexpr Sequence kSequences[] = {
    {{{{kC1}}}},
    {{{{kSigns | kBad}, {kBad}}}},
    {{{{kAsciiLetter}, {kLowerCommon | kUpperCommon}, {kBad}}}},
    {{{{kBad}, {kSigns}}}},
    {{{{kLowerAccented | kLowerCommon | kBox | kClosing | kCurrency | kNumeric}, {kUpperAccented}}}},
    {{{{kBox | kClosing | kCurrency | kNumeric}, {kLowerAccented}}}},
    {{{{kLowerAccented | kBox | kClosing}, {kCurrency}}}},
    {{{{kSpace}, {kUpperAccented}, {kCurrency}}}},
    {{{{kUpperAccented | kBox}, {kNumeric | kLaw}}}},
    {{{{kAccented | kBox | kCurrency | kClosing}, {kOpening}, {kNumeric}}}},
    {{{{kAccented | kCurrency | kNumeric | kBox | kLaw}, {kClosing}, {kOpening}}}},
    {{{{kCurrency | kNumeric | kBox}, {kOpening}}}},
    {{{{kAsciiLower}, {kUpperAccented}, {kOpening | kCurrency}}}},
    {{{{kBox}, {kFaces}}}},
    {{{{kAccented | kCurrency | kNumeric | kPunctuation | kLaw}, {kBox}}}},
    {{{{kBox}, {kClosing}}}},
    {{{{kAccented}, {kPunctuation}, {kWord}}}},
    // The ligature oe before what is no plain letter; a degree sign behind a capital.
    {{{{0, U"\u0152\u0153"}, {kAsciiLetter, {}, true}}}},
    {{{{kUpperAccented}, {0, U"\u00b0"}}}},
    // Windows-1252, two characters: those that the categories miss.
    {{{{0, U"\u00c2\u00c3\u00ce\u00d0"},
       {kPunctuation,
        U"\u20ac\u0153\u0160\u0161\u00a2\u00a3\u0178\u017e\u00a0\u00ad\u00ae\u00a9\u00b0\u00b7\u00bb"
        U"\u2013\u2014\u00b4"}}}},
    {{{{0, U"\u00d7"}, {0, U"\u00b2\u00b3"}}}},
    // Arabic in Windows-1252: two letters of it.
    {{{{0, kArabicLeads},
       {kBehindArabic, kBehindArabicToo},
       {0, kArabicLeads},
       {kBehindArabic, kBehindArabicToo}}}},
    // Scripts of South Asia in Windows-1252.
    {{{{0, U"\u00e0"}, {0, U"\u00b2\u00b5\u00b9\u00bc\u00bd\u00be"}}}},
    // MacRoman.
    {{{{0, U"\u221a"}, {0, U"\u00b1\u2202\u2020\u2260\u00ae\u2122\u00b4\u2264\u2265\u00a5\u00b5\u00f8"}}}},
    {{{{0, U"\u2248"}, {0, U"\u00b0\u00a2"}}}},
    {{{{0, U"\u201a"},
       {0, U"\u00c4"},
       {0, U"\u00ec\u00ee\u00ef\u00f2\u00f4\u00fa\u00f9\u00fb\u2020\u00b0\u00a2\u03c0"}}}},
    {{{{0, U"\u201a"}, {0, U"\u00e2\u00f3"}, {0, U"\u00e0\u00e4\u00b0\u00ea"}}}},
    // Windows-1251: dashes and quotes, Cyrillic, and Latin-1 on top of Windows-1252.
    {{{{0, U"\u0432"}, {0, U"\u0402"}}}},
    {{{{0, kCyrillicLeads}, {kBetweenCapitals, U"\u00b0\u00b5"}, {0, kCyrillicLeads}}}},
    {{{{0, U"\u0413"},
       {0, U"\u045e"},
       {0, U"\u0412"},
       {0, U"\u0402"},
       {0, U"\u0412"},
       {kNewline, {}, true}}}},
    // A with grave or acute, and the no-break space; also where that became a space.
    {{{{0, U"\u00c3"}, {0, U"\u00a0\u00a1"}}}},
    {{{{kAsciiLower}, {kSpace}, {0, kAWithTildeOrHat}, {0, kBlank}}}},
    {{{{kAsciiLower}, {0, kAWithTildeOrHat}, {0, kBlank}}}},
    {{{{0, kAWithTildeOrHat}, {0, kBlank}}}, true},
    {{{{kAsciiLower | kClosing, U".,?!"}, {0, kAWithHat}, {kPunctuation, kBlank}}}},
    // Windows-1253: dashes and quotes, Greek.
    {{{{0, U"\u03b2"}, {0, U"\u20ac"}, {0, U"\u2122\u00a0\u0386\u00ad\u00ae\u00b0"}}}},
    {{{{0, kGreekLeads}, {kBetweenCapitals, U"\u00b0"}, {0, kGreekLeads}}}},
    // Windows-1257.
    {{{{0, U"\u0101"}, {0, U"\u20ac"}}}},
};

uint32_t categories_of(char32_t c) {
  uint32_t categories = 0;
  if (c >= 'a' && c <= 'z') categories |= kAsciiLower;
  if (c >= 'A' && c <= 'Z') categories |= kAsciiUpper;
  if (c == '\n') categories |= kNewline;
  if (is_whitespace(static_cast<int32_t>(c)) || (c >= 0x1c && c <= 0x1f)) categories |= kSpace;
  if (is_word_character(static_cast<int32_t>(c))) categories |= kWord;
  if (c < 0x80) return categories;
  for (const Range& range : kRanges) {
    if (c >= range.first && c <= range.last) categories |= range.category;
  }
  return categories;
}

bool begins_at(const Sequence& sequence, std::u32string_view text, const std::vector<uint32_t>& categories,
               size_t position) {
  if (sequence.at_start && position > 0) return false;
  for (const Place& place : sequence.places) {
    if (place.categories == 0 && place.also.empty()) return true;
    if (position == text.size()) return false;
    const bool among = (categories[position] & place.categories) != 0 ||
                       place.also.find(text[position]) != std::u32string_view::npos;
    if (among == place.other) return false;
    ++position;
  }
  return true;
}

}  // namespace

bool looks_like_mojibake(std::u32string_view text) {
  std::vector<uint32_t> categories;
  categories.reserve(text.size());
  for (const char32_t c : text) categories.push_back(categories_of(c));
  for (size_t position = 0; position < text.size(); ++position) {
    for (const Sequence& sequence : kSequences) {
      if (begins_at(sequence, text, categories, position)) return true;
    }
  }
  return false;
}

}  // namespace snug
