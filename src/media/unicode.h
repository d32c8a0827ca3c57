// Text forms that picture metadata comes in: UTF-8, Latin-1, UTF-16. Called by the format files of this
// folder. Nothing here throws: what is malformed becomes U+FFFD.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode_text.h"  // is_utf8

namespace snug {

bool is_ascii(std::string_view text);
// Each malformed byte becomes U+FFFD.
std::string to_valid_utf8(std::string_view text);
std::string latin1_to_utf8(std::string_view text);
// A trailing odd byte is dropped; a lone surrogate becomes U+FFFD.
std::string utf16_to_utf8(std::span<const std::byte> units, bool big_endian);
std::vector<std::byte> utf8_to_utf16_be(std::string_view text);

}  // namespace snug
