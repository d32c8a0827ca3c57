// One request on its way through the server, without sockets: from its header to the reply. A connection
// makes one for each request, admits it before it reads the body, and answers it; tests and fuzzers do the
// same without a connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/access_policy.h"
#include "server/router.h"

namespace snug {

// What all exchanges share. Immutable once the server has started.
struct Front {
  const Router& router;
  const AccessPolicy& policy;
  uint64_t most_body_bytes = 0;
};

class Exchange {
 public:
  // `request` has what the header says, nothing else. `front` must outlive this.
  Exchange(const Front& front, HttpRequest request);

  // Everything that can be decided without the body: target, host, origin, route, token, declared size and
  // type. The refusal (or the answer to OPTIONS), or nothing: the body may be read. May wait for the store.
  std::optional<HttpResponse> admit();
  // After admit(): most bytes that the body may have.
  uint64_t most_body_bytes() const;
  // After admit() and the body. Never throws; failures are told in the form of the route's API. May wait for
  // the store.
  Reply answer(std::string body);

  // What the connection itself refuses: 408, 413, 431, a malformed header.
  HttpResponse refuse(const Failure& failure) const;
  // The headers that every response has. For responses that come later (LaterReply).
  void finish(HttpResponse& response) const;

  const HttpRequest& request() const { return request_; }
  // For logs, which hold no words of clients: "-" for a method that HTTP does not define.
  std::string_view method_name() const;
  // "-" before a route was found.
  std::string_view route_name() const { return route_ == nullptr ? "-" : std::string_view(route_->path); }

 private:
  std::optional<HttpResponse> admit_or_throw();
  HttpResponse answer_options(const RouteMatch& match) const;
  void check_body() const;
  ErrorForm form() const;

  const Front& front_;
  HttpRequest request_;
  const Route* route_ = nullptr;
};

}  // namespace snug
