// Caches and tokens: what an operator looks after.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> kCaches = {"results", "conditioning", "models"};
constexpr int64_t kMostQuota = int64_t{1} << 53;

Reply show_caches(const NativeParts& parts, const HttpRequest&) {
  ordered_json list = ordered_json::array();
  for (const CacheFigures& figures : parts.service.cache_figures()) list.push_back(cache_json(figures));
  return json_response(200, dump_json({{"caches", std::move(list)}}));
}

Reply clear_caches(const NativeParts& parts, const HttpRequest& request) {
  QueryFields query(request.query);
  const std::string kind = query.text("kind").value_or("");
  query.finish();
  if (!kind.empty() && std::ranges::find(kCaches, kind) == kCaches.end()) {
    throw invalid_field("kind", "'kind' must be results, conditioning or models");
  }
  parts.service.clear_cache(kind);
  return empty_response(204);
}

AccessControl& access_of(const NativeParts& parts) {
  if (parts.access != nullptr) return *parts.access;
  throw Error(ErrorCode::kUnsupported, "this server keeps no tokens", "start it with a data folder");
}

Reply list_tokens(const NativeParts& parts, const HttpRequest&) {
  ordered_json list = ordered_json::array();
  for (const Token& token : access_of(parts).tokens()) list.push_back(token_json(token));
  return json_response(200, dump_json({{"tokens", std::move(list)}}));
}

Scopes read_scopes(JsonFields& fields) {
  Scopes scopes;
  const std::optional<std::vector<std::string>> names = fields.texts("scopes", 3);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    if (name == scope_name(Scope::kRead)) {
      scopes.read = true;
    } else if (name == scope_name(Scope::kGenerate)) {
      scopes.generate = true;
    } else if (name == scope_name(Scope::kAdmin)) {
      scopes.admin = true;
    } else {
      throw invalid_field("scopes", "'scopes' may hold read, generate and admin");
    }
  }
  if (scopes == Scopes())
    throw invalid_field("scopes", "a token needs a scope", "give read, generate or admin");
  return scopes;
}

Reply create_token(const NativeParts& parts, const HttpRequest& request) {
  const nlohmann::json body = parse_json_body(request.body);
  JsonFields fields(body);
  const std::string name = fields.required_text("name", 200);
  const Scopes scopes = read_scopes(fields);
  Quotas quotas;
  quotas.pictures = fields.integer("quota_pictures_per_day", 0, kMostQuota);
  quotas.seconds = fields.number("quota_seconds_per_day", 0, 1e9);
  quotas.bytes = fields.integer("quota_bytes_per_day", 0, kMostQuota);
  fields.finish();
  const NewToken made = access_of(parts).create_token(name, scopes, quotas);
  ordered_json json = token_json(made.token);
  json["secret"] = made.secret;
  return json_response(201, dump_json(json));
}

Reply revoke_token(const NativeParts& parts, const HttpRequest& request) {
  access_of(parts).revoke_token(request.parameter("id"));
  return empty_response(204);
}

}  // namespace

std::vector<Route> admin_routes(const NativeParts& parts) {
  const auto bound = [&parts](Reply (*handle)(const NativeParts&, const HttpRequest&)) {
    return [parts, handle](const HttpRequest& request) { return handle(parts, request); };
  };
  return {
      {.method = "GET", .path = "/api/v1/cache", .scope = Scope::kRead, .handle = bound(show_caches)},
      {.method = "DELETE", .path = "/api/v1/cache", .scope = Scope::kAdmin, .handle = bound(clear_caches)},
      {.method = "GET", .path = "/api/v1/tokens", .scope = Scope::kAdmin, .handle = bound(list_tokens)},
      {.method = "POST",
       .path = "/api/v1/tokens",
       .scope = Scope::kAdmin,
       .body = RouteBody::kJson,
       .most_body_bytes = 16 << 10,
       .needs_body = true,
       .handle = bound(create_token)},
      {.method = "DELETE",
       .path = "/api/v1/tokens/{id}",
       .scope = Scope::kAdmin,
       .handle = bound(revoke_token)},
  };
}

}  // namespace snug
