// The reader of multipart/form-data (RFC 7578), as browsers and HTTP libraries write it. Strict: what they do
// not write is refused. Called by handlers that take uploads.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace snug {

struct MultipartLimits {
  size_t parts = 32;
  size_t header_bytes = 4096;  // of one part
};

struct MultipartPart {
  std::string name;
  std::string file_name;     // empty: none was given. Never a path to open
  std::string content_type;  // lower case, without parameters; empty: none
  std::string_view content;  // within the body
};

// `content_type`: of the request, with its boundary; `body` must outlive the parts. Throws HttpError: 400
// malformed_multipart (no boundary, no end, a part without a name, malformed headers), 413 (limits).
std::vector<MultipartPart> parse_multipart(std::string_view content_type, std::string_view body,
                                           const MultipartLimits& limits = {});

// The part of that name, null when there is none. Throws HttpError 400 when there are several.
const MultipartPart* find_part(const std::vector<MultipartPart>& parts, std::string_view name);

}  // namespace snug
