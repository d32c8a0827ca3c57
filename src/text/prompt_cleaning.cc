#include "text/prompt_cleaning.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/html_entities.h"
#include "text/mojibake.h"
#include "text/unicode_text.h"

namespace snug {
namespace {

// Every round decodes one level of what was encoded; text that goes deeper is made to be slow.
constexpr int kMostRounds = 32;

// Ligatures that come of typesetting, and characters that old encodings had for two letters.
constexpr std::array<std::pair<char32_t, std::u32string_view>, 22> kLigatures = {{
    {0x0132, U"IJ"},      {0x0133, U"ij"},      {0x0149, U"\u02bcn"}, {0x01f1, U"DZ"},      {0x01f2, U"Dz"},
    {0x01f3, U"dz"},      {0x01c4, U"D\u017d"}, {0x01c5, U"D\u017e"}, {0x01c6, U"d\u017e"}, {0x01c7, U"LJ"},
    {0x01c8, U"Lj"},      {0x01c9, U"lj"},      {0x01ca, U"NJ"},      {0x01cb, U"Nj"},      {0x01cc, U"nj"},
    {0xfb00, U"ff"},      {0xfb01, U"fi"},      {0xfb02, U"fl"},      {0xfb03, U"ffi"},     {0xfb04, U"ffl"},
    {0xfb05, U"\u017ft"}, {0xfb06, U"st"},
}};

std::u32string fix_ligatures(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    const auto* found = std::find_if(kLigatures.begin(), kLigatures.end(),
                                     [&](const auto& ligature) { return ligature.first == c; });
    if (found == kLigatures.end()) {
      out.push_back(c);
    } else {
      out += found->second;
    }
  }
  return out;
}

std::u32string fix_width(std::u32string_view text) {
  constexpr char32_t kIdeographicSpace = 0x3000, kFirstForm = 0xff01, kLastForm = 0xffef;
  std::u32string out;
  for (const char32_t c : text) {
    if (c == kIdeographicSpace) {
      out.push_back(' ');
    } else if (c >= kFirstForm && c <= kLastForm) {
      out += to_nfkc(c);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::u32string straighten_quotes(std::u32string_view text) {
  std::u32string out(text);
  for (char32_t& c : out) {
    if (c == 0x02bc || (c >= 0x2018 && c <= 0x201b)) c = '\'';
    if (c >= 0x201c && c <= 0x201f) c = '"';
  }
  return out;
}

std::u32string fix_line_breaks(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    const bool is_break = c == '\r' || c == 0x2028 || c == 0x2029 || c == 0x85;
    out.push_back(is_break ? U'\n' : c);
  }
  return out;
}

// "\033[31m": how long what begins at `i` is, 0 for none.
size_t length_of_escape(std::u32string_view text, size_t i) {
  if (text.size() - i < 3 || text[i] != 0x1b || text[i + 1] != '[') return 0;
  size_t end = i + 2;
  while (end < text.size() && (is_decimal_digit(text[end]) || text[end] == ';')) ++end;
  if (end == text.size()) return 0;
  const char32_t last = text[end];
  const bool letter = (last >= 'a' && last <= 'z') || (last >= 'A' && last <= 'Z');
  return letter ? end + 1 - i : 0;
}

std::u32string remove_escapes(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = length_of_escape(text, i);
    if (length == 0) out.push_back(text[i]);
    i += std::max<size_t>(1, length);
  }
  return out;
}

std::u32string remove_controls(std::u32string_view text) {
  const auto is_control = [](char32_t c) {
    return c < 0x09 || c == 0x0b || (c >= 0x0e && c < 0x20) || c == 0x7f || (c >= 0x206a && c <= 0x206f) ||
           c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
  };
  std::u32string out(text);
  std::erase_if(out, is_control);
  return out;
}

std::u32string fix_line(std::u32string text, bool unescape) {
  for (int round = 0; round < kMostRounds; ++round) {
    const std::u32string before = text;
    if (unescape) text = unescape_careful_html(text);
    text = fix_c1_controls(fix_encoding(std::move(text)));
    text = straighten_quotes(fix_width(fix_ligatures(text)));
    text = remove_controls(remove_escapes(fix_line_breaks(text)));
    text = to_nfc(text);
    if (text == before) break;
  }
  return text;
}

// What Python takes for whitespace: separators of records and the like too.
bool is_blank(char32_t c) { return is_whitespace(static_cast<int32_t>(c)) || (c >= 0x1c && c <= 0x1f); }

std::u32string merge_blanks(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (!is_blank(c)) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

std::u32string fix_text(std::u32string_view text) {
  std::u32string out;
  bool unescape = true;  // until a line looks like HTML itself
  while (!text.empty()) {
    const size_t end = text.find(U'\n');
    const size_t length = end == std::u32string_view::npos ? text.size() : end + 1;
    const std::u32string_view line = text.substr(0, length);
    unescape = unescape && line.find(U'<') == std::u32string_view::npos;
    out += fix_line(std::u32string(line), unescape);
    text.remove_prefix(length);
  }
  return out;
}

std::string clean_prompt(std::string_view prompt) {
  require_prompt(prompt);
  const std::u32string fixed = fix_text(to_code_points(prompt));
  return to_utf8(merge_blanks(unescape_html(unescape_html(fixed))));
}

}  // namespace snug
