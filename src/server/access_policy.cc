#include "server/access_policy.h"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/base64.h"
#include "base/error.h"
#include "server/http_error.h"

namespace snug {
namespace {

constexpr std::string_view kTokenProtocol = "snug.token.";

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool is_loopback_address(const std::string& address) {
  return address == "::1" || (is_ipv4(address) && address.starts_with("127."));
}

struct HostName {
  std::string name;  // lower case, IPv6 without brackets
  std::optional<uint16_t> port;
  bool is_address = false;
};

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// "name", "name:port", "1.2.3.4:port", "[::1]:port". Nothing for anything else.
std::optional<HostName> parse_host(std::string_view text) {
  HostName host;
  size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host.name = text.substr(1, end - 1);
    if (!is_ipv6(host.name)) return std::nullopt;
    ++end;
  } else {
    end = std::min(text.find(':'), text.size());
    host.name = text.substr(0, end);
  }
  std::ranges::transform(host.name, host.name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  });
  if (host.name.empty()) return std::nullopt;
  host.is_address = is_ipv4(host.name) || is_ipv6(host.name);
  if (end == text.size()) return host;
  if (text[end] != ':') return std::nullopt;
  host.port = parse_port(text.substr(end + 1));
  if (!host.port.has_value()) return std::nullopt;
  return host;
}

HttpError wrong_token(std::string message) {
  // Basic, so that a browser asks its user; the name does not matter, the token is the password.
  return HttpError(401, "unauthorized", std::move(message),
                   "send the header 'Authorization: Bearer TOKEN' with a token of this server")
      .challenging("Bearer realm=\"snug\", Basic realm=\"snug\", charset=\"UTF-8\"");
}

}  // namespace

ListenAddress parse_listen_address(const std::string& text) {
  std::optional<HostName> host = parse_host(text);
  if (host.has_value() && host->name == "localhost") host->name = "127.0.0.1", host->is_address = true;
  if (!host.has_value() || !host->is_address || !host->port.has_value()) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is no address to listen on", text),
                "write an address and a port, as 127.0.0.1:7860 or [::1]:7860");
  }
  return {host->name, *host->port, is_loopback_address(host->name)};
}

AccessPolicy::AccessPolicy(const ServerOptions& options, AccessControl* access)
    : origins_(options.origins), access_(access), has_tls_(!options.certificate_file.empty()) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "TLS needs a certificate and its key, and one of them is missing",
                "name both files, or neither");
  }
  for (const std::string& text : options.listen) {
    addresses_.push_back(parse_listen_address(text));
    is_loopback_ = is_loopback_ && addresses_.back().is_loopback;
  }
  for (const std::string& name : options.host_names) {
    const std::optional<HostName> host = parse_host(name);
    if (!host.has_value()) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is no host name", name),
                  "write the name by which clients call this server, as snug.example.org");
    }
    host_names_.push_back(host->name);
  }
  requires_token_ = options.require_token.value_or(!is_loopback_);
  if (!is_loopback_ && !requires_token_) {
    throw Error(ErrorCode::kInvalidArgument, "tokens are switched off, and others can reach this server",
                "listen on 127.0.0.1 alone, or leave tokens on");
  }
  if (requires_token_ && (access_ == nullptr || !access_->has_tokens())) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} needs tokens, and there is none: nobody could use this server",
                            is_loopback_ ? "the configuration" : "an address that others can reach"),
                "make a token first, or listen on 127.0.0.1 alone");
  }
}

std::vector<std::string> AccessPolicy::notices() const {
  std::vector<std::string> lines;
  if (requires_token_) lines.emplace_back("every request needs a token, but for the page and its health");
  if (!is_loopback_ && !has_tls_) {
    lines.emplace_back("others can reach this server without TLS: tokens and prompts travel in the clear");
  }
  for (const std::string& origin : origins_) {
    lines.push_back(fmt::format("pages of {} may use this server from a browser", origin));
  }
  return lines;
}

void AccessPolicy::check_host(const HttpRequest& request, const std::optional<std::string>& authority) const {
  const HttpError malformed(400, "malformed_request", "the request has no Host header, or no valid one",
                            "send one Host header with the server's name and port");
  if (request.headers.count("Host") != 1) throw malformed;
  const std::optional<HostName> host =
      parse_host(authority.has_value() ? *authority : *request.headers.find("Host"));
  if (!host.has_value()) throw malformed;
  if (std::ranges::find(host_names_, host->name) != host_names_.end()) return;
  const bool right_port = std::ranges::any_of(addresses_, [&](const ListenAddress& address) {
    // Browsers leave out the scheme's own port.
    return host->port.value_or(has_tls_ ? 443 : 80) == address.port;
  });
  if (is_loopback_) {
    const bool local =
        host->name == "localhost" || host->name == "127.0.0.1" || host->name == "::1" ||
        std::ranges::any_of(addresses_, [&](const auto& each) { return each.address == host->name; });
    if (local && right_port) return;
  } else if (host->is_address || host->name == "localhost") {
    // An address cannot be rebound, whatever port a gateway shows it under.
    return;
  }
  throw HttpError(421, "wrong_host", "this server is not called by the name in the Host header",
                  "use the address that it listens on, or add the name to its configuration");
}

bool AccessPolicy::is_allowed_origin(std::string_view origin) const {
  return std::ranges::any_of(origins_,
                             [&](const std::string& each) { return equal_without_case(each, origin); });
}

bool AccessPolicy::is_same_origin(const HttpRequest& request, std::string_view origin) const {
  const std::string_view host = request.headers.find("Host").value_or("");
  for (const std::string_view scheme : {"http://", "https://"}) {
    // Behind a gateway that ends TLS the page is https and we are http: the host decides.
    if (origin.starts_with(scheme) && equal_without_case(origin.substr(scheme.size()), host)) return true;
  }
  return false;
}

void AccessPolicy::check_origin(const HttpRequest& request) const {
  const std::optional<std::string_view> origin = request.headers.find("Origin");
  if (!origin.has_value()) return;
  const bool only_reads =
      (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS") &&
      !request.is_upgrade;
  if (only_reads || is_same_origin(request, *origin) || is_allowed_origin(*origin)) return;
  throw HttpError(403, "foreign_origin", "pages of other sites may not use this server",
                  "add the page's origin to the server's configuration");
}

Caller AccessPolicy::find_caller(const HttpRequest& request, std::optional<Scope> needed) const {
  const Caller everybody{.owner = {}, .scopes = Scopes{.read = true, .generate = true, .admin = true}};
  if (!needed.has_value()) return everybody;
  const std::optional<std::string> secret = presented_secret(request);
  std::optional<Caller> caller;
  if (secret.has_value() && access_ != nullptr) caller = access_->find_caller(*secret);
  if (!caller.has_value()) {
    if (!requires_token_) return everybody;
    throw wrong_token(secret.has_value() ? "the token is not valid" : "this server needs a token");
  }
  if (!has_scope(caller->scopes, *needed)) {
    throw HttpError(403, "forbidden",
                    fmt::format("the token does not have the scope '{}'", scope_name(*needed)),
                    "use a token that has it");
  }
  return *caller;
}

void AccessPolicy::add_cors(const HttpRequest& request, HttpResponse& response) const {
  if (origins_.empty()) return;
  response.headers.add("Vary", "Origin");
  const std::optional<std::string_view> origin = request.headers.find("Origin");
  if (!origin.has_value() || !is_allowed_origin(*origin)) return;
  response.headers.set("Access-Control-Allow-Origin", std::string(*origin));
  response.headers.set("Access-Control-Expose-Headers", "Location, Retry-After");
}

std::optional<std::string> presented_secret(const HttpRequest& request) {
  if (request.is_upgrade) {
    for (const std::string_view protocol :
         split_list(request.headers.find("Sec-WebSocket-Protocol").value_or(""))) {
      if (protocol.starts_with(kTokenProtocol)) return std::string(protocol.substr(kTokenProtocol.size()));
    }
  }
  const std::optional<std::string_view> header = request.headers.find("Authorization");
  if (!header.has_value()) return std::nullopt;
  const size_t space = std::min(header->find(' '), header->size());
  const std::string_view scheme = header->substr(0, space);
  const std::string_view value = trimmed(header->substr(space));
  if (equal_without_case(scheme, "Bearer") && !value.empty()) return std::string(value);
  if (equal_without_case(scheme, "Basic")) {
    if (const std::optional<std::vector<std::byte>> decoded = decode_base64(value)) {
      std::string pair(reinterpret_cast<const char*>(decoded->data()), decoded->size());
      if (const size_t colon = pair.find(':'); colon != std::string::npos) return pair.substr(colon + 1);
    }
  }
  throw HttpError(400, "malformed_request", "the Authorization header is malformed",
                  "send 'Authorization: Bearer TOKEN'");
}

}  // namespace snug
