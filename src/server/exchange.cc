#include "server/exchange.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "server/http_error.h"
#include "server/request_target.h"

namespace snug {
namespace {

constexpr std::string_view kKnownMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

HttpError wrong_type(std::string_view wanted) {
  return {415, "unsupported_media_type", fmt::format("the body must be {}", wanted),
          "set the Content-Type header to what the body is"};
}

void check_type(RouteBody body, const std::string& type) {
  const bool is_form = type == "multipart/form-data";
  switch (body) {
    case RouteBody::kNone:
    case RouteBody::kAnyJson: return;
    case RouteBody::kJson:
      // Also what keeps pages of other sites from posting: without CORS no browser sends JSON for them.
      if (type != "application/json") throw wrong_type("application/json");
      return;
    case RouteBody::kPicture:
      if (!is_form && !type.starts_with("image/")) throw wrong_type("an image/* or multipart/form-data");
      return;
    case RouteBody::kForm:
      if (!is_form) throw wrong_type("multipart/form-data");
      return;
  }
}

}  // namespace

Exchange::Exchange(const Front& front, HttpRequest request) : front_(front), request_(std::move(request)) {}

std::string_view Exchange::method_name() const {
  const auto* const known = std::ranges::find(kKnownMethods, request_.method);
  return known == std::end(kKnownMethods) ? "-" : *known;
}

ErrorForm Exchange::form() const { return route_ != nullptr ? route_->errors : error_form_of(request_.path); }

uint64_t Exchange::most_body_bytes() const {
  SNUG_CHECK(route_ != nullptr, "the request was admitted");
  if (route_->body == RouteBody::kNone) return 0;
  const uint64_t own = route_->most_body_bytes;
  return own == 0 ? front_.most_body_bytes : std::min(own, front_.most_body_bytes);
}

std::optional<HttpResponse> Exchange::admit() {
  try {
    return admit_or_throw();
  } catch (...) {
    return refuse(describe_failure());
  }
}

std::optional<HttpResponse> Exchange::admit_or_throw() {
  RequestTarget target = parse_target(request_.target);
  request_.path = target.path;
  front_.policy.check_host(request_, target.authority);
  front_.policy.check_origin(request_);
  request_.query = std::move(target.query);
  RouteMatch match = front_.router.match(request_.method, target.segments);
  if (request_.method == "OPTIONS" && (target.is_asterisk || !match.allowed.empty()))
    return answer_options(match);
  if (match.allowed.empty()) {
    throw HttpError(404, "not_found", "there is nothing at this path", "see /openapi.json for what there is");
  }
  if (match.route == nullptr) {
    // Also for methods that no route has: the client can mend it, and 501 would say that the server should.
    throw HttpError(405, "method_not_allowed", "this path has no such method",
                    fmt::format("use one of {}", match.allowed))
        .allowing(match.allowed);
  }
  route_ = match.route;
  request_.parameters = std::move(match.parameters);
  const Caller caller = front_.policy.find_caller(request_, route_->scope);
  request_.owner = caller.owner;
  request_.is_admin = caller.scopes.admin;
  if (route_->is_websocket != request_.is_upgrade) {
    // An upgrade elsewhere is an offer that may be ignored.
    if (route_->is_websocket) {
      throw HttpError(426, "upgrade_required", "this path speaks WebSocket",
                      "connect with a WebSocket client");
    }
    request_.is_upgrade = false;
  }
  check_body();
  return std::nullopt;
}

void Exchange::check_body() const {
  if (!request_.has_body()) {
    if (route_->needs_body) throw HttpError(400, "missing_body", "the request has no body", "send one");
    return;
  }
  // Before its type: that a body is not wanted at all says more.
  if (route_->body == RouteBody::kNone) {
    throw HttpError(413, "too_large", "this path takes no body", "send the request without one");
  }
  check_type(route_->body, request_.media_type());
  if (const std::string_view coding = request_.headers.find("Content-Encoding").value_or("identity");
      coding != "identity") {
    throw HttpError(415, "unsupported_media_type", "compressed bodies are not read",
                    "send the body as it is");
  }
  if (request_.declared_bytes.value_or(0) > most_body_bytes()) {
    throw HttpError(413, "too_large", fmt::format("the body is larger than {} bytes", most_body_bytes()),
                    "send less");
  }
}

HttpResponse Exchange::answer_options(const RouteMatch& match) const {
  HttpResponse response = empty_response(204);
  const std::string allowed = match.allowed.empty() ? "GET, HEAD, POST, DELETE, OPTIONS" : match.allowed;
  response.headers.set("Allow", allowed);
  const std::optional<std::string_view> origin = request_.headers.find("Origin");
  if (origin.has_value() && front_.policy.is_allowed_origin(*origin)) {
    response.headers.set("Access-Control-Allow-Methods", allowed);
    response.headers.set("Access-Control-Allow-Headers",
                         "Authorization, Content-Type, Idempotency-Key, Last-Event-ID");
    response.headers.set("Access-Control-Max-Age", "600");
  }
  finish(response);
  return response;
}

Reply Exchange::answer(std::string body) {
  SNUG_CHECK(route_ != nullptr, "the request was admitted");
  request_.body = std::move(body);
  try {
    Reply reply = route_->handle(request_);
    if (auto* response = std::get_if<HttpResponse>(&reply)) finish(*response);
    return reply;
  } catch (...) {
    return refuse(describe_failure());
  }
}

HttpResponse Exchange::refuse(const Failure& failure) const {
  HttpResponse response = error_response(failure, form());
  finish(response);
  return response;
}

void Exchange::finish(HttpResponse& response) const {
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Cross-Origin-Resource-Policy", "same-origin");
  response.headers.set("Referrer-Policy", "no-referrer");
  if (!response.headers.find("Cache-Control").has_value()) response.headers.set("Cache-Control", "no-store");
  front_.policy.add_cors(request_, response);
  if (response.status == 429 && !response.headers.find("Retry-After").has_value()) {
    response.headers.set("Retry-After", "1");
  }
}

}  // namespace snug
