// The server: listens, takes connections, stops. Made by `snug serve` with the routes of all APIs; what is
// served is theirs, how is connection_impl.h's.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "server/access_control.h"
#include "server/request_log.h"
#include "server/router.h"
#include "server/server_options.h"

namespace snug {

class HttpServer {
 public:
  // `access` may be null where AccessPolicy allows it, and must outlive the server, as must what the routes
  // call.
  HttpServer(ServerOptions options, AccessControl* access, std::vector<Route> routes,
             RequestObserver observe = log_request);
  ~HttpServer();  // stop() without grace
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens from here on, on threads of its own. Throws invalid_argument (what AccessPolicy throws;
  // certificate or key that are none), io_error (the address is taken, or not this machine's).
  void start();
  // "http://127.0.0.1:7860", of each address, with the ports that the system chose.
  std::vector<std::string> addresses() const;
  std::vector<std::string> notices() const;  // of AccessPolicy, for the log at start

  // Takes no new connection, ends streams, lets requests under way finish for up to `grace`, cuts off what is
  // left then, and returns when no handler runs any more. What a handler waits for must not be this thread.
  void stop(std::chrono::milliseconds grace);

 private:
  struct Running;
  ServerOptions options_;
  AccessControl* access_;
  std::unique_ptr<Router> router_;
  RequestObserver observe_;
  std::unique_ptr<Running> running_;
};

// What start() would throw that can be found without listening: for `snug serve --check-config`.
void check_server_options(const ServerOptions& options, AccessControl* access);

}  // namespace snug
