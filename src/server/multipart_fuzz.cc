// Any bytes are parts that lie within the body, or an HttpError. The input: the Content-Type, a line's end,
// the body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "server/http_error.h"
#include "server/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\n'), input.size());
  const std::string_view body = input.substr(std::min(end + 1, input.size()));
  try {
    for (const snug::MultipartPart& part : snug::parse_multipart(input.substr(0, end), body)) {
      SNUG_CHECK(!part.name.empty(), "parts have names");
      SNUG_CHECK(
          part.content.empty() || (part.content.data() >= body.data() &&
                                   part.content.data() + part.content.size() <= body.data() + body.size()),
          "parts lie within the body");
    }
  } catch (const snug::HttpError&) {
  }
  return 0;
}
