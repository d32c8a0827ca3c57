// Requests and responses as handlers see them. connection_impl.h makes them from bytes and bytes from them;
// no type of the HTTP library appears here, so that what includes this compiles quickly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace snug {

// Names compare without case. A handful of entries: a list is faster than a map.
class HttpHeaders {
 public:
  void add(std::string name, std::string value);
  // In place of all of that name.
  void set(std::string name, std::string value);
  // The first of that name; nothing when there is none.
  std::optional<std::string_view> find(std::string_view name) const;
  // How many of that name.
  size_t count(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

bool equal_without_case(std::string_view a, std::string_view b);
// "a, b ,c" → a, b, c; empty items are left out.
std::vector<std::string_view> split_list(std::string_view text, char separator = ',');
std::string_view trimmed(std::string_view text);

// Decoded `name=value` pairs of a query, in order.
class HttpQuery {
 public:
  void add(std::string name, std::string value) { entries_.emplace_back(std::move(name), std::move(value)); }
  std::optional<std::string_view> find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

struct HttpRequest {
  std::string method;     // "GET", as sent: methods are case sensitive
  std::string target;     // as sent, undecoded
  int minor_version = 1;  // of HTTP/1.x
  HttpHeaders headers;
  std::optional<uint64_t> declared_bytes;  // Content-Length
  bool chunked = false;                    // a body of unknown length follows
  bool is_upgrade = false;                 // asks for a WebSocket
  bool is_tls = false;
  std::string remote_address;

  // Filled by Exchange (exchange.h) from the target and the headers.
  std::string path;                                                  // decoded
  HttpQuery query;                                                   // decoded
  std::vector<std::pair<std::string_view, std::string>> parameters;  // of the route's path: {"id", "01J..."}
  std::string owner;                                                 // of the token; empty without one
  bool is_admin = false;                                             // may see what others own
  std::string body;

  bool has_body() const { return chunked || declared_bytes.value_or(0) > 0; }
  // Of the route's path; the route has it.
  const std::string& parameter(std::string_view name) const;
  // "image/png" of `Content-Type: Image/PNG; q=1`; empty without one.
  std::string media_type() const;
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;
  // The content is the first of these that is not empty.
  std::span<const std::byte> embedded;                  // in the program itself
  std::shared_ptr<const std::vector<std::byte>> bytes;  // pictures
  std::string text;

  std::span<const std::byte> content() const;
};

HttpResponse json_response(int status, std::string json);
HttpResponse text_response(int status, std::string_view media_type, std::string text);
HttpResponse empty_response(int status);  // 204 and the like

// "Not Found" of 404; empty for what has no name.
std::string_view status_phrase(int status);
// Whether a response of this status has neither content nor a Content-Length.
inline bool has_no_content(int status) { return status == 204 || status == 304 || status < 200; }

// Status line and headers, the empty line included. `content_bytes` becomes Content-Length; without it none.
// Values that would break the header apart are a programming error: whoever sets one from outside checks it.
std::string format_head(const HttpResponse& response, int minor_version, bool keep_alive,
                        std::optional<uint64_t> content_bytes);

}  // namespace snug
