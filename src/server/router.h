// The one table of what the server answers to: every API adds its rows (native_routes.h and its neighbours),
// the OpenAPI document is tested against it, exchange.cc looks requests up in it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/access_control.h"
#include "server/error_form.h"
#include "server/http_message.h"
#include "server/stream.h"

namespace snug {

enum class RouteBody {
  kNone,     // what is sent along is refused
  kJson,     // application/json
  kAnyJson,  // JSON whatever the header calls it: ComfyUI's clients call it a form
  kPicture,  // image/* or multipart/form-data
  kForm,     // multipart/form-data
};

struct Route {
  std::string method;          // "GET" answers HEAD too
  std::string path;            // "/api/v1/jobs/{id}"; "/assets/{rest...}" takes all segments that follow
  std::optional<Scope> scope;  // nothing: open to everyone who can reach the server
  ErrorForm errors = ErrorForm::kNative;
  RouteBody body = RouteBody::kNone;
  uint64_t most_body_bytes = 0;  // 0: the server's limit; never above it
  bool needs_body = false;       // refuses a request without one
  bool is_websocket = false;     // GET with an upgrade, and nothing else
  // On a handler thread; may wait for the store, not for pictures. Throws HttpError and Error.
  std::function<Reply(const HttpRequest&)> handle;
};

struct RouteMatch {
  const Route* route = nullptr;  // null: see `allowed`
  std::vector<std::pair<std::string_view, std::string>> parameters;
  std::string allowed;  // methods of the path, "GET, HEAD, OPTIONS"; empty: there is no such path
};

class Router {
 public:
  // Two routes of the same method and pattern are a programming error, as is a path that is no pattern.
  explicit Router(std::vector<Route> routes);

  // `segments` as of parse_target. Literal segments win over parameters.
  RouteMatch match(std::string_view method, const std::vector<std::string>& segments) const;
  std::span<const Route> routes() const { return routes_; }

 private:
  struct Pattern {
    std::vector<std::string> segments;  // "{id}" as it is
    bool takes_rest = false;
  };
  std::vector<Route> routes_;
  std::vector<Pattern> patterns_;  // of the route at the same place
};

}  // namespace snug
