#include "weights/limited_json.h"

#include <fmt/format.h>

#include "base/byte_source.h"

namespace snug {

using nlohmann::json;

json parse_json(std::string_view text, std::string_view file, JsonLimits limits, ErrorCode code) {
  if (text.size() > limits.bytes) {
    throw Error(ErrorCode::kTooLarge, fmt::format("has {} bytes, more than {}", text.size(), limits.bytes),
                "download the file again")
        .in_file(file);
  }
  // The callback sees each opening bracket before its contents are built; the parser keeps its own stack,
  // so depth costs memory, not machine stack.
  const json::parser_callback_t check_depth = [&](int depth, json::parse_event_t event, json&) {
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= limits.depth) {
      throw Error(code, fmt::format("is nested deeper than {} levels", limits.depth),
                  "download the file again")
          .in_file(file);
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), check_depth);
  } catch (const json::exception& error) {
    throw Error(code, fmt::format("is not valid JSON ({})", error.what()), "download the file again")
        .in_file(file);
  }
}

json read_json(const ByteSource& source, JsonLimits limits, ErrorCode code) {
  return parse_json(read_text(source, limits.bytes), source.name(), limits, code);
}

}  // namespace snug
