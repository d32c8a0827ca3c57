// What stands between method and version in a request's first line, decoded: path and query. Called by
// exchange.cc and router.cc. Which paths exist is the router's matter.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_message.h"

namespace snug {

inline constexpr size_t kMostTargetBytes = 4096;
inline constexpr size_t kMostQueryFields = 64;

struct RequestTarget {
  std::vector<std::string> segments;  // "/api/v1/" → "api", "v1", ""; decoded; of "/": one empty one
  std::string path;                   // the segments joined again
  HttpQuery query;
  std::optional<std::string> authority;  // of the absolute form "http://host:port/path"
  bool is_asterisk = false;              // "OPTIONS *"
};

// Throws HttpError: 414 (longer than kMostTargetBytes), 400 (not a path, malformed or forbidden escapes, "."
// and ".." as segments, text that is not UTF-8, too many fields).
RequestTarget parse_target(std::string_view target);

// "/api/v1" → "api", "v1"; undecoded. `path` begins with '/'.
std::vector<std::string_view> split_segments(std::string_view path);

// "%41+b" → "A b" where `plus_is_space`. Throws HttpError 400 for malformed escapes, control characters and
// text that is not UTF-8.
std::string percent_decode(std::string_view text, bool plus_is_space);

}  // namespace snug
