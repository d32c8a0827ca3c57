#include "server/router.h"

#include <algorithm>

#include "base/check.h"
#include "server/request_target.h"

namespace snug {
namespace {

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

std::string_view parameter_name(std::string_view segment) {
  std::string_view name = segment.substr(1, segment.size() - 2);
  if (name.ends_with("...")) name.remove_suffix(3);
  return name;
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
  // Stable order of search: patterns with literals where others have parameters come first.
  std::ranges::stable_sort(routes_, [](const Route& a, const Route& b) {
    return std::ranges::lexicographical_compare(
        a.path, b.path, [](char x, char y) { return (x == '{') != (y == '{') ? y == '{' : x < y; });
  });
  for (const Route& route : routes_) {
    SNUG_CHECK(route.path.starts_with('/') && route.handle, "a route has a path and a handler");
    const auto same = std::ranges::count_if(routes_, [&](const Route& other) {
      return other.method == route.method && other.path == route.path;
    });
    SNUG_CHECK(same == 1, "each route is in the table once");
    Pattern pattern;
    for (const std::string_view segment : split_segments(route.path)) pattern.segments.emplace_back(segment);
    pattern.takes_rest = pattern.segments.back().ends_with("...}");
    patterns_.push_back(std::move(pattern));
  }
}

RouteMatch Router::match(std::string_view method, const std::vector<std::string>& segments) const {
  RouteMatch match;
  std::vector<std::string_view> methods;
  const bool wants_get = method == "HEAD";
  for (size_t i = 0; i < routes_.size() && match.route == nullptr; ++i) {
    const Pattern& pattern = patterns_[i];
    const size_t least = pattern.segments.size();
    if (pattern.takes_rest ? segments.size() < least : segments.size() != least) continue;
    std::vector<std::pair<std::string_view, std::string>> parameters;
    bool fits = true;
    for (size_t s = 0; s < least && fits; ++s) {
      if (!is_parameter(pattern.segments[s])) {
        fits = pattern.segments[s] == segments[s];
        continue;
      }
      std::string value = segments[s];
      if (pattern.takes_rest && s + 1 == least) {
        for (size_t rest = least; rest < segments.size(); ++rest) value += "/" + segments[rest];
      }
      fits = !value.empty();
      parameters.emplace_back(parameter_name(pattern.segments[s]), std::move(value));
    }
    if (!fits) continue;
    methods.push_back(routes_[i].method);
    if (routes_[i].method == (wants_get ? "GET" : method)) {
      match.route = &routes_[i];
      match.parameters = std::move(parameters);
    }
  }
  if (methods.empty()) return match;
  for (const std::string_view each : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    if (std::ranges::find(methods, each) == methods.end()) continue;
    match.allowed += std::string(each) + ", ";
    if (each == "GET") match.allowed += "HEAD, ";
  }
  match.allowed += "OPTIONS";
  return match;
}

}  // namespace snug
