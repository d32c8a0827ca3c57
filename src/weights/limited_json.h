// JSON from files that nobody vouches for: the size and the nesting are limited before anything is built,
// and a malformed text is a snug::Error, never a JSON exception. Used by the checkpoint reader here and by
// models/ and text/ for configuration files and vocabularies.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug {

class ByteSource;

struct JsonLimits {
  uint64_t bytes = 4 << 20;
  int depth = 32;
};

// `file` is for messages. Throws `code` when the text is malformed or nested too deep, too_large above the
// limit. Accessors of the result throw their own exceptions on a wrong type: ask is_string() and the like
// first.
nlohmann::json parse_json(std::string_view text, std::string_view file, JsonLimits limits = {},
                          ErrorCode code = ErrorCode::kBadConfig);
nlohmann::json read_json(const ByteSource& source, JsonLimits limits = {},
                         ErrorCode code = ErrorCode::kBadConfig);

}  // namespace snug
