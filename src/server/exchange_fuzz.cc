// Any header is a request that is admitted or refused, and any body is answered: by the whole path from the
// target to the reply, with the native API over a service in memory. Nothing is answered by the server's
// fault. The input: method, target and header lines, an empty line, the body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/exchange.h"
#include "server/made_up_service.h"
#include "server/native/native_routes.h"
#include "server/static_files.h"

namespace {

using namespace snug;

std::string_view take_line(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  return line;
}

HttpRequest read_request(std::string_view& rest) {
  HttpRequest request;
  request.method = take_line(rest);
  request.target = take_line(rest);
  request.headers.add("Host", "localhost:7860");
  for (std::string_view line = take_line(rest); !line.empty(); line = take_line(rest)) {
    const size_t colon = std::min(line.find(':'), line.size());
    std::string value(trimmed(line.substr(std::min(colon + 1, line.size()))));
    // What the HTTP library lets through in a value.
    std::erase_if(value, [](char letter) { return letter == '\r' || letter == '\0'; });
    request.headers.add(std::string(line.substr(0, colon)), std::move(value));
  }
  request.declared_bytes = rest.size();
  request.is_upgrade = request.headers.find("Upgrade").has_value();
  return request;
}

struct Server {
  snug::testing::MadeUpService service;
  snug::testing::MadeUpAccess access;
  AccessPolicy policy{ServerOptions(), &access};
  Router router{make_routes()};
  Front front{router, policy, 1 << 20};

  std::vector<Route> make_routes() {
    std::vector<Route> routes = native_routes({.service = service,
                                               .access = &access,
                                               .models = [] { return std::vector<ListedModel>(); },
                                               .system_json = [] { return std::string("{}"); },
                                               .metrics_text = [] { return std::string(); },
                                               .unready = [] { return std::nullopt; }});
    for (Route& route : static_routes(placeholder_page_files())) routes.push_back(std::move(route));
    return routes;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Server server;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Exchange exchange(server.front, read_request(rest));
  std::optional<HttpResponse> refusal = exchange.admit();
  Reply reply = refusal.has_value() ? Reply(std::move(*refusal)) : exchange.answer(std::string(rest));
  if (const auto* response = std::get_if<HttpResponse>(&reply)) {
    SNUG_CHECK(response->status < 500, "no request is answered by the server's fault");
    SNUG_CHECK(!format_head(*response, 1, true, response->content().size()).empty(),
               "every response has a head");
  }
  return 0;
}
