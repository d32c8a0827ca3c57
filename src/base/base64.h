// Base64 of RFC 4648, as JSON bodies and HTTP headers carry bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace snug {

std::string encode_base64(std::span<const std::byte> bytes);
// Strict but for missing padding, which browsers leave out at times: no line breaks, no other letters, unused
// bits zero. Nothing when it is malformed.
std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

}  // namespace snug
