// A server on a loopback port for tests, with all APIs over a MadeUpService and a few routes of the test's
// own.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/a1111/a1111_routes.h"
#include "server/comfyui/comfyui_routes.h"
#include "server/http_server.h"
#include "server/made_up_service.h"
#include "server/native/native_routes.h"
#include "server/openai/openai_routes.h"
#include "server/raw_client.h"
#include "server/static_files.h"

namespace snug::testing {

// As the fixture of that name.
inline ListedModel made_up_video_model() {
  ListedModel model;
  model.name = "wan-tiny-t2v";
  model.title = "Wan 2.2, text to video";
  model.architecture = "wan";
  model.video = ClipFacts{.frames = 81,
                          .frames_multiple = 4,
                          .frames_per_second = 16,
                          .width = 832,
                          .height = 480,
                          .size_multiple_px = 16,
                          .takes_image = false,
                          .takes_last_image = false,
                          .experts = 2};
  return model;
}

inline std::vector<ListedModel> made_up_models() {
  return {{.name = "tiny-landscapes",
           .title = "Tiny",
           .architecture = "sd",
           .embedded = true,
           .parameters = 5,
           .native_size_px = 128,
           .bytes = 10,
           .problem = {}},
          {.name = "broken",
           .title = {},
           .architecture = {},
           .embedded = false,
           .parameters = {},
           .native_size_px = {},
           .bytes = {},
           .problem = "is torn"},
          made_up_video_model()};
}

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, std::vector<Route> more = {},
                      const Performance* performance = nullptr) {
    const NativeParts parts{.service = service,
                            .access = &access,
                            .models = made_up_models,
                            .system_json = [] { return std::string(R"({"cores":2})"); },
                            .metrics_text = [] { return std::string("snug_jobs_queued 3\n"); },
                            .unready = [this] { return unready; },
                            .performance = performance,
                            .loras =
                                [] {
                                  return std::vector<ListedLora>{{"style", 7}, {"wan/light", 9}};
                                }};
    std::vector<Route> routes = native_routes(parts);
    for (const auto make : {openai_routes, a1111_routes, comfyui_routes}) {
      for (Route& route : make(parts)) routes.push_back(std::move(route));
    }
    for (Route& route : static_routes(placeholder_page_files())) routes.push_back(std::move(route));
    for (Route& route : more) routes.push_back(std::move(route));
    if (options.listen == ServerOptions{}.listen) options.listen = {"127.0.0.1:0"};
    server.emplace(std::move(options), &access, std::move(routes), [this](const RequestRecord& record) {
      const std::scoped_lock lock(mutex_);
      records_.push_back(record);
    });
    server->start();
    const std::string address = server->addresses().front();
    port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  }

  std::vector<RequestRecord> records() {
    const std::scoped_lock lock(mutex_);
    return records_;
  }

  // One request on a connection of its own; `head`: more header lines, each with its end.
  RawResponse ask(std::string_view method, std::string_view target, std::string_view body = {},
                  std::string_view head = {}) const {
    RawClient client(port);
    client.send(format(method, target, body, head));
    return client.read_response(method == "HEAD");
  }
  RawResponse post_json(std::string_view target, std::string_view body, std::string_view head = {}) const {
    return ask("POST", target, body, fmt::format("Content-Type: application/json\r\n{}", head));
  }
  std::string format(std::string_view method, std::string_view target, std::string_view body = {},
                     std::string_view head = {}) const {
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: localhost:{}\r\n{}", method, target, port, head);
    if (!body.empty()) text += fmt::format("Content-Length: {}\r\n", body.size());
    return text + "\r\n" + std::string(body);
  }

  // Destroyed in the opposite order: the server first.
  MadeUpService service;
  MadeUpAccess access;
  std::optional<std::string> unready;
  uint16_t port = 0;

 private:
  std::mutex mutex_;
  std::vector<RequestRecord> records_;

 public:
  std::optional<HttpServer> server;
};

}  // namespace snug::testing
