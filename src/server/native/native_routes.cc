#include "server/native/native_routes.h"

#include <iterator>

#include "base/embedded_files.h"

namespace snug {

// Made from native/document by cmake/embed.cmake.
std::span<const EmbeddedFile> native_document_files();

std::string_view openapi_json() {
  const std::span<const std::byte> bytes = native_document_files().front().bytes;
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const std::string& visible_owner(const HttpRequest& request) {
  static const std::string kEverybody;
  return request.is_admin ? kEverybody : request.owner;
}

std::vector<Route> native_routes(const NativeParts& parts) {
  std::vector<Route> routes;
  for (const auto make :
       {system_routes, job_routes, event_routes, image_routes, admin_routes, performance_routes}) {
    std::vector<Route> more = make(parts);
    std::ranges::move(more, std::back_inserter(routes));
  }
  return routes;
}

}  // namespace snug
