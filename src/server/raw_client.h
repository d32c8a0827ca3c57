// A client for tests that sends bytes as they are, right or wrong, and reads what comes back. Blocking, with
// a limit on the waiting, so that a server that says nothing fails a test and does not hang it.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/check.h"
#include "server/http_message.h"

namespace snug::testing {

struct RawResponse {
  int status = 0;  // 0: the server closed without one
  HttpHeaders headers;
  std::string body;
  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
};

class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer_bytes = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    SNUG_CHECK(socket_ >= 0, "there are sockets");
    if (receive_buffer_bytes > 0) {
      setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  // False once the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }

  // False when the server closed, or sent nothing for `most`.
  bool read_some(std::chrono::milliseconds most = std::chrono::seconds(20)) {
    pollfd wait{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(most.count())) <= 0) return false;
    char bytes[65536];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) {
      closed_ = true;
      return false;
    }
    pending_.append(bytes, static_cast<size_t>(got));
    return true;
  }
  // Up to and including `end`; what there was when the server closed or said nothing more.
  std::string read_until(std::string_view end) {
    size_t found = pending_.find(end);
    while (found == std::string::npos && read_some()) found = pending_.find(end);
    const size_t size = found == std::string::npos ? pending_.size() : found + end.size();
    std::string text = pending_.substr(0, size);
    pending_.erase(0, size);
    return text;
  }
  std::string read_to_end() {
    while (read_some()) {
    }
    return std::exchange(pending_, {});
  }
  bool closed() const { return closed_; }
  // Nothing more comes: the server has closed.
  bool at_end() {
    while (read_some()) {
    }
    return closed_ && pending_.empty();
  }

  // `head_only`: of a response to HEAD.
  RawResponse read_response(bool head_only = false) {
    RawResponse response;
    const std::string head = read_until("\r\n\r\n");
    if (!head.starts_with("HTTP/1.1 ")) return response;
    response.status = std::stoi(head.substr(9, 3));
    for (size_t begin = head.find("\r\n") + 2; begin < head.size() - 2;) {
      const size_t end = head.find("\r\n", begin);
      const size_t colon = head.find(": ", begin);
      response.headers.add(head.substr(begin, colon - begin), head.substr(colon + 2, end - colon - 2));
      begin = end + 2;
    }
    const std::string length = response.header("Content-Length");
    const size_t size = length.empty() || head_only ? 0 : std::stoul(length);
    while (pending_.size() < size && read_some()) {
    }
    response.body = pending_.substr(0, size);
    pending_.erase(0, size);
    return response;
  }

  int descriptor() const { return socket_; }

 private:
  int socket_;
  bool connected_ = false, closed_ = false;
  std::string pending_;
};

}  // namespace snug::testing
