// The named characters of HTML, and the two ways in which cleaned prompts lose them: as html.unescape of
// Python does it, which follows the HTML standard's rules for browsers, and as ftfy does it, more carefully.
// Called by prompt_cleaning.cc.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace snug {

struct HtmlEntity {
  std::string_view name;   // without '&' and ';'
  char32_t first, second;  // second is 0 where it is one character
  bool legacy;             // browsers take it without ';' too
};

inline constexpr size_t kHtmlEntityCount = 2125;
extern const std::array<HtmlEntity, kHtmlEntityCount> kHtmlEntities;  // sorted by name

// "&eacute;", "&amp" (also within a word, as browsers must), "&#233;", "&#xE9". Numbers that are no
// characters become U+FFFD or vanish, as the standard says.
std::u32string unescape_html(std::u32string_view text);

// Only what ends in ';', and has at most 24 letters and digits. Of names that are all lower case also the
// upper-case form, where that is no other name's beginning: &NTILDE; gives the upper-case letter.
std::u32string unescape_careful_html(std::u32string_view text);

}  // namespace snug
