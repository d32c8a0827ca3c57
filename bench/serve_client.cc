#include "bench/serve_client.h"

#include <array>

#include <boost/asio/connect.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::asio::ip::tcp;

constexpr const char* kAddress = "127.0.0.1";
constexpr std::array<const char*, 8> kPrompts = {"a red sailboat on the sea at sunset",
                                                 "a house with a blue roof in a snowy landscape at night",
                                                 "a yellow hot air balloon over a green meadow",
                                                 "a cactus in the desert at dawn",
                                                 "pine trees in a forest at sunset",
                                                 "a white lighthouse by the sea at night",
                                                 "a house with a red roof in a meadow at noon",
                                                 "a blue sailboat on the sea at dawn"};

Error broken(const std::string& what) {
  return {ErrorCode::kInternal, "the service's connection: " + what, "see whether `snug serve` runs by hand"};
}

Error unexpected(const char* asked, const HttpAnswer& answer) {
  return {ErrorCode::kInternal, fmt::format("{} was answered {}: {}", asked, answer.status, answer.body),
          "run it by hand"};
}

// Calls `work`; what the network says becomes our error.
template <typename Work>
auto over_network(const Work& work) {
  try {
    return work();
  } catch (const boost::system::system_error& error) {
    throw broken(error.code().message());
  }
}

tcp::socket connected_socket(asio::io_context& context, uint16_t port) {
  return over_network([&] {
    tcp::socket socket(context);
    socket.connect({asio::ip::make_address(kAddress), port});
    socket.set_option(tcp::no_delay(true));
    return socket;
  });
}

std::string host_of(uint16_t port) { return fmt::format("{}:{}", kAddress, port); }

}  // namespace

std::string prompt_of(const Ask& ask) {
  return kPrompts.at(static_cast<size_t>(ask.prompt) % kPrompts.size());
}

std::string request_json(const Ask& ask) {
  nlohmann::ordered_json json = {{"prompt", prompt_of(ask)}, {"seed", ask.seed}};
  if (ask.edge_px > 0) json["width"] = json["height"] = ask.edge_px;
  if (ask.steps > 0) json["steps"] = ask.steps;
  return json.dump();
}

std::vector<std::string> generate_arguments(const Ask& ask, const std::string& path) {
  std::vector<std::string> arguments = {"generate", prompt_of(ask), "--seed", std::to_string(ask.seed),
                                        "--output", path,           "--quiet"};
  const auto add = [&](const char* name, std::string value) {
    arguments.insert(arguments.end(), {name, std::move(value)});
  };
  if (ask.edge_px > 0) add("--size", fmt::format("{0}x{0}", ask.edge_px));
  if (ask.steps > 0) add("--steps", std::to_string(ask.steps));
  return arguments;
}

struct HttpClient::Impl {
  asio::io_context context;
  tcp::socket socket;
  beast::flat_buffer buffer;
  std::string host;
  explicit Impl(uint16_t port) : socket(connected_socket(context, port)), host(host_of(port)) {}

  HttpAnswer send(http::verb verb, const std::string& target, const std::string& body) {
    http::request<http::string_body> request(verb, target, 11);
    request.set(http::field::host, host);
    if (!body.empty()) request.set(http::field::content_type, "application/json");
    request.body() = body;
    request.prepare_payload();
    return over_network([&] {
      http::write(socket, request);
      http::response<http::string_body> response;
      http::read(socket, buffer, response);
      return HttpAnswer{static_cast<int>(response.result_int()), std::move(response.body())};
    });
  }
};

HttpClient::HttpClient(uint16_t port) : impl_(std::make_unique<Impl>(port)) {}
HttpClient::~HttpClient() = default;
HttpAnswer HttpClient::get(const std::string& target) { return impl_->send(http::verb::get, target, {}); }
HttpAnswer HttpClient::post(const std::string& target, const std::string& json) {
  return impl_->send(http::verb::post, target, json);
}
HttpAnswer HttpClient::erase(const std::string& target) {
  return impl_->send(http::verb::delete_, target, {});
}

AcceptedJob submit(HttpClient& client, const Ask& ask) {
  const HttpAnswer answer = client.post("/api/v1/jobs", request_json(ask));
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  if (answer.status != 202 || !json.is_object()) throw unexpected("a job", answer);
  return {json.at("id"), json.at("from_cache")};
}

std::string picture(HttpClient& client, const AcceptedJob& job) {
  HttpAnswer answer = client.get(job.picture_target());
  if (answer.status != 200 || answer.body.empty()) throw unexpected("a picture", answer);
  return std::move(answer.body);
}

void clear_results(HttpClient& client) {
  const HttpAnswer answer = client.erase("/api/v1/cache?kind=results");
  if (answer.status / 100 != 2) throw unexpected("clearing the cache", answer);
}

struct EventFeed::Impl {
  asio::io_context context;
  beast::websocket::stream<tcp::socket> stream;
  explicit Impl(uint16_t port) : stream(connected_socket(context, port)) {}

  std::string next() {
    return over_network([&] {
      beast::flat_buffer buffer;
      stream.read(buffer);
      return beast::buffers_to_string(buffer.data());
    });
  }
};

EventFeed::EventFeed(uint16_t port) : impl_(std::make_unique<Impl>(port)) {
  over_network([&] {
    impl_->stream.handshake(host_of(port), "/api/v1/ws");
    impl_->stream.write(asio::buffer(std::string(R"({"type":"subscribe"})")));
  });
  impl_->next();  // {"type": "subscribed"}
}
EventFeed::~EventFeed() = default;

void EventFeed::wait_for(const std::string& job) {
  while (ended_.erase(job) == 0) {
    JobNews news = job_news(impl_->next());
    if (news.state == "failed" || news.state == "cancelled")
      throw Error(ErrorCode::kInternal, fmt::format("job {} {}", news.id, news.state),
                  "see the service's log");
    if (news.state == "done") ended_.insert(std::move(news.id));
  }
}

JobNews job_news(const std::string& message) {
  const auto json = nlohmann::json::parse(message, nullptr, false);
  if (!json.is_object()) throw broken("it sends something else than JSON objects");
  if (json.value("type", "") == "error") throw broken(message);
  return {json.value("id", ""), json.value("state", "")};
}

}  // namespace snug::bench
