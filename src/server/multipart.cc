#include "server/multipart.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "media/unicode.h"
#include "server/http_error.h"
#include "server/http_message.h"

namespace snug {
namespace {

constexpr size_t kMostBoundaryBytes = 70;  // RFC 2046, 5.1.1

HttpError malformed(std::string problem) {
  return {400, "malformed_multipart", std::move(problem), "send multipart/form-data as RFC 7578 has it"};
}

struct Parameter {
  std::string_view name;
  std::string value;
};

// One `name=value` or `name="value"` from the front of `rest`, which begins behind a ';'.
Parameter take_parameter(std::string_view& rest) {
  rest = trimmed(rest);
  const size_t equals = rest.find('=');
  if (equals == std::string_view::npos || equals == 0) throw malformed("a header's parameter has no value");
  Parameter parameter{.name = rest.substr(0, equals), .value = {}};
  rest.remove_prefix(equals + 1);
  if (!rest.starts_with('"')) {
    const size_t end = std::min(rest.find(';'), rest.size());
    parameter.value = trimmed(rest.substr(0, end));
    rest.remove_prefix(end);
  } else {
    size_t i = 1;
    for (; i < rest.size() && rest[i] != '"'; ++i) {
      // Browsers escape a quote as %22, libraries as \".
      if (rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\')) ++i;
      parameter.value += rest[i];
    }
    if (i >= rest.size()) throw malformed("a header's quotes do not end");
    rest = trimmed(rest.substr(i + 1));
    if (!rest.empty() && rest.front() != ';') throw malformed("a header's parameters run together");
  }
  if (!rest.empty()) rest.remove_prefix(1);
  return parameter;
}

std::optional<std::string> find_parameter(std::string_view header, std::string_view name) {
  std::optional<std::string> found;
  const size_t begin = header.find(';');
  if (begin == std::string_view::npos) return found;
  std::string_view rest = header.substr(begin + 1);
  while (!trimmed(rest).empty()) {
    Parameter parameter = take_parameter(rest);
    if (!equal_without_case(parameter.name, name)) continue;
    if (found.has_value()) throw malformed("a header names a parameter twice");
    found = std::move(parameter.value);
  }
  return found;
}

std::string boundary_of(std::string_view content_type) {
  std::optional<std::string> boundary = find_parameter(content_type, "boundary");
  if (!boundary.has_value() || boundary->empty() || boundary->size() > kMostBoundaryBytes) {
    throw malformed("the Content-Type has no boundary, or no valid one");
  }
  return *std::move(boundary);
}

void read_disposition(std::string_view value, MultipartPart& part) {
  if (!equal_without_case(trimmed(value.substr(0, value.find(';'))), "form-data")) {
    throw malformed("a part is not form-data");
  }
  const std::optional<std::string> name = find_parameter(value, "name");
  if (!name.has_value() || name->empty()) throw malformed("a part has no name");
  part.name = *name;
  part.file_name = find_parameter(value, "filename").value_or("");
  if (!is_utf8(part.name) || !is_utf8(part.file_name)) throw malformed("a part's name is not UTF-8");
}

void read_headers(std::string_view text, MultipartPart& part) {
  bool has_disposition = false;
  while (!text.empty()) {
    const size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(line.size() + 2, text.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) throw malformed("a part's header has no name");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (equal_without_case(name, "Content-Disposition")) {
      if (has_disposition) throw malformed("a part has two dispositions");
      has_disposition = true;
      read_disposition(value, part);
    } else if (equal_without_case(name, "Content-Type")) {
      part.content_type = trimmed(value.substr(0, value.find(';')));
      std::ranges::transform(part.content_type, part.content_type.begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    } else if (equal_without_case(name, "Content-Transfer-Encoding") &&
               !equal_without_case(value, "binary") && !equal_without_case(value, "8bit") &&
               !equal_without_case(value, "7bit")) {
      throw malformed("a part is encoded");
    }
  }
  if (!has_disposition) throw malformed("a part has no Content-Disposition");
}

}  // namespace

std::vector<MultipartPart> parse_multipart(std::string_view content_type, std::string_view body,
                                           const MultipartLimits& limits) {
  const std::string delimiter = "\r\n--" + boundary_of(content_type);
  std::vector<MultipartPart> parts;
  // The first delimiter may stand at the very beginning; what is before it is refused, nobody writes it.
  if (!body.starts_with(std::string_view(delimiter).substr(2)))
    throw malformed("the body does not begin with the boundary");
  body.remove_prefix(delimiter.size() - 2);
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n")) throw malformed("a boundary is not followed by a line's end");
    if (parts.size() == limits.parts) {
      throw HttpError(413, "too_large", fmt::format("there are more than {} parts", limits.parts),
                      "send fewer");
    }
    body.remove_prefix(2);
    const size_t headers_end = body.substr(0, limits.header_bytes).find("\r\n\r\n");
    if (headers_end == std::string_view::npos) {
      throw body.size() > limits.header_bytes
          ? HttpError(413, "too_large",
                      fmt::format("a part's header is longer than {} bytes", limits.header_bytes),
                      "shorten it")
          : malformed("a part's header does not end");
    }
    MultipartPart part;
    read_headers(body.substr(0, headers_end), part);
    // The line's end before the delimiter belongs to it; an empty part has only the headers' own.
    body.remove_prefix(headers_end + 2);
    const size_t end = body.find(delimiter);
    if (end == std::string_view::npos) throw malformed("a part does not end");
    part.content = end < 2 ? std::string_view() : body.substr(2, end - 2);
    body.remove_prefix(end + delimiter.size());
    parts.push_back(std::move(part));
  }
  body.remove_prefix(2);
  if (!body.empty() && body != "\r\n") throw malformed("something follows the last boundary");
  return parts;
}

const MultipartPart* find_part(const std::vector<MultipartPart>& parts, std::string_view name) {
  const MultipartPart* found = nullptr;
  for (const MultipartPart& part : parts) {
    if (part.name != name) continue;
    if (found != nullptr) throw malformed("a part that may come once comes twice");
    found = &part;
  }
  return found;
}

}  // namespace snug
