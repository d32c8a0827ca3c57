// One line a request: method, the route's pattern, status, time, bytes. Never path, query, body, headers or
// token: those may hold prompts and secrets. Called by the connections when a response has left.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace snug {

struct RequestRecord {
  std::string method;
  std::string route;  // "/api/v1/jobs/{id}"; "-" where there is none
  int status = 0;
  double seconds = 0;  // measured, from the header's last byte to the response's last
  uint64_t received_bytes = 0, sent_bytes = 0;  // of the bodies
};

// Receives each; called from io threads, must not block. The default logs it.
using RequestObserver = std::function<void(const RequestRecord&)>;

std::string format_record(const RequestRecord& record);
// log::info, for requests that failed by the server's fault log::warn.
void log_request(const RequestRecord& record);

}  // namespace snug
