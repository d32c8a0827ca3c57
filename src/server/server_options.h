// What an operator can set about the HTTP side of the service. Filled by `snug serve` from the configuration;
// read by http_server.cc and access_policy.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snug {

// Against clients that are large, slow or many. All configured; the defaults suit one machine's users.
struct ServerLimits {
  uint32_t header_bytes = 16 << 10;  // request line and headers
  uint64_t body_bytes = 32 << 20;
  size_t connections = 1024;
  // Of one address, of IPv6 of one /64; not of loopback (connection.h). A browser opens six and a page's
  // stream; a household or office behind one address has room, and sixteen such take all places.
  size_t connections_per_client = 64;
  std::chrono::milliseconds header_time{10'000};     // from the first byte to the last of the header; and TLS
  std::chrono::milliseconds idle_time{60'000};       // between requests of one connection
  std::chrono::milliseconds transfer_grace{20'000};  // a body may take this, and what its size adds below
  uint64_t least_bytes_per_second = 32 << 10;        // of bodies, either way, once the grace is over
  std::chrono::milliseconds heartbeat{15'000};       // of event streams and WebSockets
  size_t stream_backlog_bytes = 8 << 20;             // of one stream that is not read: more cuts it off
};

struct ServerOptions {
  std::vector<std::string> listen = {"127.0.0.1:7860"};  // "address:port", "[::1]:port"; port 0: any
  std::vector<std::string> host_names;     // by which clients may call the server, beside its addresses
  std::vector<std::string> origins;        // pages that may use the API from browsers: "https://example.org"
  std::string certificate_file, key_file;  // PEM; both or neither
  std::optional<bool> require_token;       // default: unless every address is loopback
  int io_threads = 2;
  int handler_threads = 4;
  ServerLimits limits;
};

}  // namespace snug
