// Who may ask at all: the Host and Origin headers that browsers send, tokens, and CORS. One decision for
// every API; called by exchange.cc for each request before its body is read.
//
// Why Host is checked: a page of another site can have its own name resolve to 127.0.0.1 (DNS rebinding) and
// would then be same-origin with a service on loopback. Why Origin is checked: a form of another site may
// post to loopback without asking; browsers hide only the answer, and they ask nobody before opening a
// WebSocket.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/access_control.h"
#include "server/http_message.h"
#include "server/server_options.h"

namespace snug {

// "127.0.0.1:7860" → address and port.
struct ListenAddress {
  std::string address;  // without brackets
  uint16_t port = 0;
  bool is_loopback = false;
};
// Throws invalid_argument.
ListenAddress parse_listen_address(const std::string& text);

class AccessPolicy {
 public:
  // `access` may be null where no token is required: then nobody has one. Throws invalid_argument: an address
  // that is no address, half a certificate, an address that others can reach and no token for anybody, tokens
  // switched off there.
  AccessPolicy(const ServerOptions& options, AccessControl* access);

  bool requires_token() const { return requires_token_; }
  // One line for each thing that an operator should know at start; empty on loopback.
  std::vector<std::string> notices() const;

  // Throws HttpError: 400 (none, several), 421 (a name by which this server is not called). `authority`: of a
  // target in absolute form, which then counts.
  void check_host(const HttpRequest& request, const std::optional<std::string>& authority) const;
  // Throws HttpError 403 when a page of another site sends what changes something or opens a WebSocket.
  void check_origin(const HttpRequest& request) const;
  // Throws HttpError: 401 (none or a wrong one), 403 (not for this scope). Where none is required, everybody
  // may do everything as "", and an unknown one is ignored: clients of other services always send something.
  Caller find_caller(const HttpRequest& request, std::optional<Scope> needed) const;

  // CORS headers for an origin that is allowed; none for others.
  void add_cors(const HttpRequest& request, HttpResponse& response) const;
  bool is_allowed_origin(std::string_view origin) const;

 private:
  bool is_same_origin(const HttpRequest& request, std::string_view origin) const;

  std::vector<ListenAddress> addresses_;
  std::vector<std::string> host_names_, origins_;
  AccessControl* access_;
  bool requires_token_ = false, is_loopback_ = true, has_tls_ = false;
};

// The secret that a request carries: "Authorization: Bearer X", the password of "Authorization: Basic"
// (clients of A1111), or of a WebSocket, where browsers cannot set headers, the protocol "snug.token.X".
// Throws HttpError 400 for a header that is neither.
std::optional<std::string> presented_secret(const HttpRequest& request);

}  // namespace snug
