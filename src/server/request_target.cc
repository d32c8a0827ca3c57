#include "server/request_target.h"

#include <algorithm>

#include <fmt/format.h>

#include "media/unicode.h"
#include "server/http_error.h"

namespace snug {
namespace {

HttpError bad_target(std::string problem) {
  return {400, "malformed_request", std::move(problem), "percent-encode the path and the query"};
}

int hex_value(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

void parse_path(std::string_view path, RequestTarget& target) {
  for (const std::string_view encoded : split_segments(path)) {
    std::string segment = percent_decode(encoded, false);
    // No file is ever opened by a path. These are refused because proxies in between may understand them.
    if (segment == "." || segment == ".." || segment.find_first_of("/\\") != std::string::npos) {
      throw bad_target("the path has a segment that no resource has");
    }
    target.path += "/" + segment;
    target.segments.push_back(std::move(segment));
  }
}

void parse_query(std::string_view query, RequestTarget& target) {
  for (const std::string_view field : split_list(query, '&')) {
    if (target.query.all().size() == kMostQueryFields) {
      throw bad_target(fmt::format("the query has more than {} fields", kMostQueryFields));
    }
    const size_t equals = std::min(field.find('='), field.size());
    target.query.add(percent_decode(field.substr(0, equals), true),
                     percent_decode(field.substr(std::min(equals + 1, field.size())), true));
  }
}

}  // namespace

std::vector<std::string_view> split_segments(std::string_view path) {
  std::vector<std::string_view> segments;
  do {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  } while (!path.empty());
  return segments;
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) throw bad_target("a '%' is not followed by two hexadecimal digits");
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  const bool has_control = std::ranges::any_of(decoded, [](char letter) {
    const auto byte = static_cast<unsigned char>(letter);
    return (byte < 0x20 && letter != '\t' && letter != '\n' && letter != '\r') || byte == 0x7f;
  });
  if (has_control) throw bad_target("the target has control characters");
  if (!is_utf8(decoded)) throw bad_target("the target is not UTF-8");
  return decoded;
}

RequestTarget parse_target(std::string_view text) {
  if (text.size() > kMostTargetBytes) {
    throw HttpError(414, "target_too_long",
                    fmt::format("the target is longer than {} bytes", kMostTargetBytes),
                    "send long values in the body");
  }
  RequestTarget target;
  if (text == "*") {
    target.is_asterisk = true;
    return target;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text.size() < scheme.size() || !equal_without_case(text.substr(0, scheme.size()), scheme)) continue;
    text.remove_prefix(scheme.size());
    const size_t end = std::min(text.find_first_of("/?"), text.size());
    target.authority = std::string(text.substr(0, end));
    text.remove_prefix(end);
    break;
  }
  const size_t mark = std::min(text.find('?'), text.size());
  std::string_view path = text.substr(0, mark);
  if (path.empty() && target.authority.has_value()) path = "/";
  if (!path.starts_with('/')) throw bad_target("the target is not a path");
  parse_path(path, target);
  if (mark < text.size()) parse_query(text.substr(mark + 1), target);
  return target;
}

}  // namespace snug
