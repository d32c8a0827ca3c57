#include "server/http_message.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/check.h"

namespace snug {
namespace {

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

struct StatusPhrase {
  int status;
  std::string_view phrase;
};

constexpr std::array kPhrases = {
    StatusPhrase{100, "Continue"},
    StatusPhrase{101, "Switching Protocols"},
    StatusPhrase{200, "OK"},
    StatusPhrase{201, "Created"},
    StatusPhrase{202, "Accepted"},
    StatusPhrase{204, "No Content"},
    StatusPhrase{206, "Partial Content"},
    StatusPhrase{304, "Not Modified"},
    StatusPhrase{400, "Bad Request"},
    StatusPhrase{401, "Unauthorized"},
    StatusPhrase{403, "Forbidden"},
    StatusPhrase{404, "Not Found"},
    StatusPhrase{405, "Method Not Allowed"},
    StatusPhrase{408, "Request Timeout"},
    StatusPhrase{409, "Conflict"},
    StatusPhrase{411, "Length Required"},
    StatusPhrase{413, "Content Too Large"},
    StatusPhrase{414, "URI Too Long"},
    StatusPhrase{415, "Unsupported Media Type"},
    StatusPhrase{416, "Range Not Satisfiable"},
    StatusPhrase{417, "Expectation Failed"},
    StatusPhrase{421, "Misdirected Request"},
    StatusPhrase{422, "Unprocessable Content"},
    StatusPhrase{426, "Upgrade Required"},
    StatusPhrase{429, "Too Many Requests"},
    StatusPhrase{431, "Request Header Fields Too Large"},
    StatusPhrase{499, "Client Closed Request"},
    StatusPhrase{500, "Internal Server Error"},
    StatusPhrase{503, "Service Unavailable"},
    StatusPhrase{507, "Insufficient Storage"},
};

bool is_safe_in_header(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split_list(std::string_view text, char separator) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    const std::string_view item = trimmed(text.substr(0, end));
    if (!item.empty()) items.push_back(item);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

void HttpHeaders::add(std::string name, std::string value) {
  entries_.emplace_back(std::move(name), std::move(value));
}

void HttpHeaders::set(std::string name, std::string value) {
  std::erase_if(entries_, [&](const auto& entry) { return equal_without_case(entry.first, name); });
  add(std::move(name), std::move(value));
}

std::optional<std::string_view> HttpHeaders::find(std::string_view name) const {
  for (const auto& [key, value] : entries_) {
    if (equal_without_case(key, name)) return value;
  }
  return std::nullopt;
}

size_t HttpHeaders::count(std::string_view name) const {
  return static_cast<size_t>(std::ranges::count_if(
      entries_, [&](const auto& entry) { return equal_without_case(entry.first, name); }));
}

std::optional<std::string_view> HttpQuery::find(std::string_view name) const {
  for (const auto& [key, value] : entries_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

const std::string& HttpRequest::parameter(std::string_view name) const {
  const auto found = std::ranges::find(parameters, name, [](const auto& entry) { return entry.first; });
  SNUG_CHECK(found != parameters.end(), "the route's path has the parameter");
  return found->second;
}

std::string HttpRequest::media_type() const {
  const std::string_view value = headers.find("Content-Type").value_or("");
  std::string type(trimmed(value.substr(0, value.find(';'))));
  std::ranges::transform(type, type.begin(), lower);
  return type;
}

std::span<const std::byte> HttpResponse::content() const {
  if (!embedded.empty()) return embedded;
  if (bytes != nullptr) return *bytes;
  return std::as_bytes(std::span(text));
}

HttpResponse json_response(int status, std::string json) {
  return text_response(status, "application/json", std::move(json));
}

HttpResponse text_response(int status, std::string_view media_type, std::string text) {
  HttpResponse response = empty_response(status);
  response.headers.set("Content-Type", std::string(media_type));
  response.text = std::move(text);
  return response;
}

HttpResponse empty_response(int status) {
  HttpResponse response;
  response.status = status;
  return response;
}

std::string_view status_phrase(int status) {
  const auto found = std::ranges::find(kPhrases, status, &StatusPhrase::status);
  return found == kPhrases.end() ? std::string_view() : found->phrase;
}

std::string format_head(const HttpResponse& response, int minor_version, bool keep_alive,
                        std::optional<uint64_t> content_bytes) {
  // Always 1.1, the version that we speak; what a 1.0 client may not be sent depends on `minor_version`.
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, status_phrase(response.status));
  for (const auto& [name, value] : response.headers.all()) {
    SNUG_CHECK(is_safe_in_header(name) && is_safe_in_header(value), "headers hold no line breaks");
    head += fmt::format("{}: {}\r\n", name, value);
  }
  if (content_bytes.has_value()) head += fmt::format("Content-Length: {}\r\n", *content_bytes);
  if (!keep_alive) {
    head += "Connection: close\r\n";
  } else if (minor_version == 0) {
    head += "Connection: keep-alive\r\n";
  }
  return head + "\r\n";
}

}  // namespace snug
