// Tells another program of alerts: an HTTP POST of a JSON document to one address. Used by alerts.h.
//
// A thread of its own sends one after the other, in order; whoever calls send() never waits. An attempt has a
// time limit; after a failure (no connection, no answer, an answer that is 429 or 5xx) it is tried again
// after growing waits, then given up. Other answers than 2xx are final: the receiver understood and refused.
// At most `most_waiting` documents wait, then the oldest goes. Failures are warnings in the log, at most one
// a minute.
//
// https: the receiver's certificate must be valid for its name, by the system's authorities.
//
// Threads: all methods may be called from any. The destructor gives up what waits; it may have to wait for a
// name to be looked up, which the system does not let one break off.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace snug {

struct WebhookAddress {
  bool is_tls = false;
  std::string host, port, path;  // an IPv6 host without its brackets
};
// "http://host:port/path" or "https://..."; throws invalid_argument for anything else.
WebhookAddress parse_webhook_address(const std::string& url);

struct WebhookOptions {
  std::string url;
  std::chrono::milliseconds timeout{5000};  // of each part: look-up, connection, handshake, request, answer
  std::array<std::chrono::milliseconds, 3> waits{std::chrono::seconds(1), std::chrono::seconds(5),
                                                 std::chrono::seconds(25)};
  size_t most_waiting = 100;
};

struct WebhookCounts {
  int64_t delivered = 0, failed = 0, dropped = 0;
};

class Webhook {
 public:
  // Throws invalid_argument for an address that is none.
  explicit Webhook(WebhookOptions options);
  ~Webhook();
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  void send(std::string json);
  WebhookCounts counts() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace snug
