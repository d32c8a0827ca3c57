#include "text/html_entities.h"

#include <algorithm>
#include <optional>

#include "text/single_byte_encodings.h"
#include "text/unicode_text.h"

namespace snug {
namespace {

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// -1 for what is no digit.
int digit_value(char32_t c) {
  if (is_digit(c)) return static_cast<int>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<int>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<int>(c - 'A') + 10;
  return -1;
}

// Null for names that are none, or that are not ASCII.
const HtmlEntity* find_entity(std::u32string_view name) {
  std::string ascii;
  for (const char32_t c : name) {
    if (c > 0x7f) return nullptr;
    ascii += static_cast<char>(c);
  }
  const auto* found = std::lower_bound(
      kHtmlEntities.begin(), kHtmlEntities.end(), ascii,
      [](const HtmlEntity& entity, const std::string& wanted) { return entity.name < wanted; });
  return found != kHtmlEntities.end() && found->name == ascii ? found : nullptr;
}

void append_value(const HtmlEntity& entity, std::u32string* out) {
  out->push_back(entity.first);
  if (entity.second != 0) out->push_back(entity.second);
}

// What a numeric reference stands for, by the standard's "numeric character reference end state" as Python
// reads it.
void append_number(uint32_t number, std::u32string* out) {
  constexpr char32_t kReplacement = 0xfffd;
  const bool never = (number < 0x09 && number != 0) || number == 0x0b || (number >= 0x0e && number < 0x20) ||
                     number == 0x7f || (number >= 0xfdd0 && number <= 0xfdef) || (number & 0xfffe) == 0xfffe;
  if (number == 0 || (number >= 0xd800 && number <= 0xdfff) || number > 0x10ffff) {
    out->push_back(kReplacement);
  } else if (number >= 0x80 && number <= 0x9f) {
    out->push_back(character_of(SingleByteEncoding::kWindows1252, static_cast<uint8_t>(number)));
  } else if (!never) {  // else it vanishes
    out->push_back(number);
  }
}

// A numeric reference that begins at '&'; returns its length, 0 where there is none.
size_t take_number(std::u32string_view text, std::u32string* out) {
  if (text.size() < 3 || text[1] != '#') return 0;
  const bool hex = text[2] == 'x' || text[2] == 'X';
  const uint32_t base = hex ? 16 : 10;
  const size_t begin = hex ? 3 : 2;
  size_t end = begin;
  uint32_t number = 0;
  for (; end < text.size(); ++end) {
    const int digit = digit_value(text[end]);
    if (digit < 0 || static_cast<uint32_t>(digit) >= base) break;
    constexpr uint32_t kTooLarge = 0x110000;
    number = std::min(number * base + static_cast<uint32_t>(digit), kTooLarge);
  }
  if (end == begin) return 0;
  append_number(number, out);
  return end < text.size() && text[end] == ';' ? end + 1 : end;
}

// A named reference that begins at '&', or the longest beginning of it that browsers take; returns how much
// of the text is dealt with, 0 where it is no reference.
size_t take_name(std::u32string_view text, std::u32string* out) {
  constexpr size_t kMostLetters = 32;
  constexpr std::u32string_view kEnds = U"\t\n\f <&#;";
  size_t end = 1;
  while (end < text.size() && end - 1 < kMostLetters && kEnds.find(text[end]) == std::u32string_view::npos)
    ++end;
  if (end == 1) return 0;
  const std::u32string_view name = text.substr(1, end - 1);
  const bool closed = end < text.size() && text[end] == ';';
  if (const HtmlEntity* entity = find_entity(name); entity != nullptr && (closed || entity->legacy)) {
    append_value(*entity, out);
    return closed ? end + 1 : end;
  }
  const size_t whole = closed ? end + 1 : end;
  for (size_t length = name.size() - (closed ? 0 : 1); length > 1; --length) {
    const HtmlEntity* entity = find_entity(name.substr(0, length));
    if (entity == nullptr || !entity->legacy) continue;
    append_value(*entity, out);
    out->append(text.substr(1 + length, whole - 1 - length));
    return whole;
  }
  out->append(text.substr(0, whole));
  return whole;
}

// Upper case of what named characters stand for: Unicode's full mapping.
void append_upper(char32_t c, std::u32string* out) {
  switch (c) {
    case 0xdf: *out += U"SS"; break;
    case 0x149: *out += U"\u02bcN"; break;
    case 0xfb00: *out += U"FF"; break;
    case 0xfb01: *out += U"FI"; break;
    case 0xfb02: *out += U"FL"; break;
    case 0xfb03: *out += U"FFI"; break;
    case 0xfb04: *out += U"FFL"; break;
    default: out->push_back(to_upper(c));
  }
}

// `reference` is whole, from '&' to ';'. Nothing where it stands for nothing.
std::optional<std::u32string> careful_value(std::u32string_view reference) {
  std::u32string value;
  if (reference[1] == '#') {
    value = unescape_html(reference);
    if (value.find(U';') != std::u32string::npos) return std::nullopt;  // it was dealt with in part
    return value;
  }
  const std::u32string_view name = reference.substr(1, reference.size() - 2);
  if (const HtmlEntity* entity = find_entity(name)) {
    append_value(*entity, &value);
    return value;
  }
  std::u32string lower;
  for (const char32_t c : name) {
    if (c >= 'a' && c <= 'z') return std::nullopt;
    lower.push_back(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  const HtmlEntity* entity = find_entity(lower);
  if (entity == nullptr || unescape_html(reference) != reference) return std::nullopt;
  append_upper(entity->first, &value);
  if (entity->second != 0) append_upper(entity->second, &value);
  return value;
}

// How long a reference that begins at '&' is, with its ';'; 0 for none.
size_t careful_length(std::u32string_view text) {
  constexpr size_t kMostLetters = 24;
  const size_t begin = text.size() > 1 && text[1] == '#' ? 2 : 1;
  size_t end = begin;
  while (end < text.size() && end - begin < kMostLetters && (is_letter(text[end]) || is_digit(text[end])))
    ++end;
  return end > begin && end < text.size() && text[end] == ';' ? end + 1 : 0;
}

}  // namespace

std::u32string unescape_html(std::u32string_view text) {
  std::u32string out;
  while (!text.empty()) {
    size_t taken = 0;
    if (text[0] == '&') {
      taken = take_number(text, &out);
      if (taken == 0) taken = take_name(text, &out);
    }
    if (taken == 0) {
      out.push_back(text[0]);
      taken = 1;
    }
    text.remove_prefix(taken);
  }
  return out;
}

std::u32string unescape_careful_html(std::u32string_view text) {
  std::u32string out;
  while (!text.empty()) {
    const size_t length = text[0] == '&' ? careful_length(text) : 0;
    if (length == 0) {
      out.push_back(text[0]);
      text.remove_prefix(1);
      continue;
    }
    const std::u32string_view reference = text.substr(0, length);
    out += careful_value(reference).value_or(std::u32string(reference));
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace snug
