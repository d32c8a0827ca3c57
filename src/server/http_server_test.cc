// HTTP itself: what a client may send, how much, how slowly, and what it gets for it. Over real sockets.
#include "server/http_server.h"

#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "server/test_server.h"

namespace snug {
namespace {

using namespace std::chrono_literals;
using testing::RawClient;
using testing::RawResponse;
using testing::TestServer;

std::string code_of(const RawResponse& response) {
  const auto json = nlohmann::json::parse(response.body, nullptr, false);
  return json.is_object() && json.contains("error") ? json["error"]["code"].get<std::string>()
                                                    : "no error: " + response.body;
}

// Answers with what it was sent.
Route echo_route() {
  return {.method = "POST",
          .path = "/echo",
          .scope = Scope::kRead,
          .errors = ErrorForm::kNative,
          .body = RouteBody::kJson,
          .most_body_bytes = 1 << 20,
          .handle = [](const HttpRequest& request) -> Reply {
            return text_response(200, "text/plain", request.body);
          }};
}

// Answers with so many bytes.
Route bulk_route(size_t bytes) {
  return {.method = "GET", .path = "/bulk", .scope = {}, .handle = [bytes](const HttpRequest&) -> Reply {
            return text_response(200, "text/plain", std::string(bytes, 'x'));
          }};
}

ServerOptions quick_limits() {
  ServerOptions options;
  options.limits.header_time = 200ms;
  options.limits.idle_time = 300ms;
  options.limits.transfer_grace = 300ms;
  options.limits.heartbeat = 100ms;
  return options;
}

TEST(HttpServer, KeepsAConnectionForManyRequestsAndClosesItWhenAsked) {
  const TestServer server;
  RawClient client(server.port);
  for (int i = 0; i < 3; ++i) {
    client.send(server.format("GET", "/api/v1/health"));
    const RawResponse response = client.read_response();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.header("Content-Type"), "application/json");
    EXPECT_EQ(response.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(response.header("Cache-Control"), "no-store");
  }
  client.send(server.format("GET", "/api/v1/health", {}, "Connection: close\r\n"));
  EXPECT_EQ(client.read_response().header("Connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  const TestServer server({}, {echo_route()});
  RawClient client(server.port);
  std::string both;
  for (int i = 0; i < 20; ++i) {
    both += server.format("POST", "/echo", std::to_string(i), "Content-Type: application/json\r\n");
  }
  client.send(both);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.read_response().body, std::to_string(i));
}

TEST(HttpServer, SpeaksHttp10) {
  const TestServer server;
  RawClient client(server.port);
  client.send(fmt::format("GET /api/v1/health HTTP/1.0\r\nHost: localhost:{}\r\n\r\n", server.port));
  EXPECT_EQ(client.read_response().status, 200);
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServer, GivesHeadWithoutTheContentAndOptionsWithTheMethods) {
  const TestServer server;
  RawClient client(server.port);
  client.send(server.format("HEAD", "/api/v1/health"));
  RawResponse response = client.read_response(/*head_only=*/true);
  EXPECT_EQ(response.status, 200);
  EXPECT_GT(std::stoi(response.header("Content-Length")), 10);
  client.send(server.format("OPTIONS", "/api/v1/jobs"));
  response = client.read_response();
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.header("Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(response.header("Access-Control-Allow-Methods"), "");
  client.send(server.format("OPTIONS", "*"));
  EXPECT_EQ(client.read_response().status, 204);
}

TEST(HttpServer, RefusesPathsAndMethodsThatThereAreNot) {
  const TestServer server;
  EXPECT_EQ(server.ask("GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(code_of(server.ask("GET", "/api/v1/nothing")), "not_found");
  const RawResponse wrong = server.ask("PUT", "/api/v1/jobs");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(server.ask("BREW", "/api/v1/jobs").status, 405);
  EXPECT_EQ(server.ask("BREW", "/api/v1/nothing").status, 404);
  // In the words of the API whose paths begin so.
  EXPECT_EQ(nlohmann::json::parse(server.ask("GET", "/v1/nothing").body)["error"]["type"], "not_found_error");
  EXPECT_TRUE(nlohmann::json::parse(server.ask("GET", "/sdapi/v1/nothing").body).contains("detail"));
  EXPECT_TRUE(nlohmann::json::parse(server.ask("GET", "/history/x/y").body).contains("node_errors"));
}

TEST(HttpServer, RefusesMalformedTargetsAndRequests) {
  const TestServer server;
  for (const std::string target : {"/api/v1/jobs/%zz", "/api/../etc/passwd", "/api/%2e%2e/etc", "/a%00b",
                                   "/%ff", "/a%2fb", "/a%5cb", "nothing"}) {
    EXPECT_EQ(server.ask("GET", target).status, 400) << target;
  }
  EXPECT_EQ(server.ask("GET", "/" + std::string(5000, 'a')).status, 414);
  for (const std::string text :
       {"GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nHost localhost\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    RawClient client(server.port);
    client.send(text);
    EXPECT_EQ(client.read_response().status, 400) << text;
    EXPECT_TRUE(client.at_end());
  }
  RawClient client(server.port);
  client.send("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n");
  EXPECT_GE(client.read_response().status, 400);
}

TEST(HttpServer, LimitsTheHeader) {
  const TestServer server;
  const RawResponse response =
      server.ask("GET", "/api/v1/health", {}, "X-Long: " + std::string(20'000, 'a') + "\r\n");
  EXPECT_EQ(response.status, 431);
}

TEST(HttpServer, LimitsTheBodyBeforeItIsRead) {
  const TestServer server({}, {echo_route()});
  RawClient client(server.port);
  client.send(
      server.format("POST", "/echo", {},
                    "Content-Type: application/json\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n"));
  const RawResponse response = client.read_response();
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(code_of(response), "too_large");
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServer, LimitsABodyInChunksAsItComes) {
  const TestServer server({}, {echo_route()});
  RawClient client(server.port);
  client.send(
      server.format("POST", "/echo", {}, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"));
  const std::string chunk = fmt::format("{:x}\r\n{}\r\n", 600'000, std::string(600'000, 'a'));
  client.send(chunk);
  client.send(chunk);
  EXPECT_EQ(client.read_response().status, 413);
}

TEST(HttpServer, ReadsBodiesInChunksAndAfterContinue) {
  const TestServer server({}, {echo_route()});
  RawClient client(server.port);
  client.send(
      server.format("POST", "/echo", {}, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") +
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_response().body, "abcde");
  client.send(
      server.format("POST", "/echo", {},
                    "Content-Type: application/json\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("xyz");
  EXPECT_EQ(client.read_response().body, "xyz");
  const std::string large(900'000, 'q');
  client.send(server.format("POST", "/echo", large, "Content-Type: application/json\r\n"));
  EXPECT_TRUE(client.read_response().body == large);
}

TEST(HttpServer, RefusesBodiesOfTheWrongKind) {
  const TestServer server({}, {echo_route()});
  EXPECT_EQ(server.ask("POST", "/echo", "{}", "Content-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(server.ask("POST", "/echo", "{}").status, 415);
  EXPECT_EQ(server.ask("POST", "/echo", "{}", "Content-Type: Application/JSON; charset=utf-8\r\n").status,
            200);
  EXPECT_EQ(server.ask("POST", "/echo", "{}", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n")
                .status,
            415);
  EXPECT_EQ(server.ask("GET", "/api/v1/health", "{}", "Content-Type: application/json\r\n").status, 413);
  EXPECT_EQ(server.ask("POST", "/api/v1/jobs", {}, "Content-Type: application/json\r\n").status, 400);
}

TEST(HttpServer, CutsOffSlowHeadersAndBodies) {
  const TestServer server(quick_limits(), {echo_route()});
  RawClient header(server.port);
  header.send("GET /api/v1/health HTTP/1.1\r\nHos");
  EXPECT_EQ(header.read_response().status, 408);
  EXPECT_TRUE(header.at_end());

  RawClient body(server.port);
  body.send(server.format("POST", "/echo", {}, "Content-Type: application/json\r\nContent-Length: 1000\r\n"));
  // Some bytes each time: the time is of the whole, not of a pause.
  for (int i = 0; i < 20 && body.send("x"); ++i) std::this_thread::sleep_for(30ms);
  EXPECT_EQ(body.read_response().status, 408);
  EXPECT_TRUE(body.at_end());
}

TEST(HttpServer, ClosesIdleConnectionsAndThoseThatNeverSpeak) {
  const TestServer server(quick_limits());
  RawClient silent(server.port), idle(server.port);
  idle.send(server.format("GET", "/api/v1/health"));
  EXPECT_EQ(idle.read_response().status, 200);
  EXPECT_TRUE(idle.at_end());
  EXPECT_TRUE(silent.at_end());
}

TEST(HttpServer, CutsOffReadersThatDoNotRead) {
  ServerOptions options = quick_limits();
  options.limits.least_bytes_per_second = 64 << 20;
  TestServer server(options, {bulk_route(24 << 20)});
  RawClient client(server.port, /*receive_buffer_bytes=*/4096);
  client.send(server.format("GET", "/bulk"));
  for (int i = 0; i < 300 && server.records().empty(); ++i) std::this_thread::sleep_for(10ms);
  ASSERT_EQ(server.records().size(), 1U);
  EXPECT_LT(client.read_to_end().size(), size_t{24} << 20);
}

TEST(HttpServer, TurnsAwayMoreConnectionsThanItMayHave) {
  ServerOptions options;
  options.limits.connections = 2;
  const TestServer server(options);
  RawClient first(server.port), second(server.port);
  for (RawClient* client : {&first, &second}) {
    client->send(server.format("GET", "/api/v1/health"));
    EXPECT_EQ(client->read_response().status, 200);
  }
  RawClient third(server.port);
  const RawResponse response = third.read_response();
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header("Retry-After"), "1");
}

TEST(HttpServer, FinishesWhatIsUnderWayWhenItStops) {
  std::atomic<bool> began = false, let_go = false;
  Route slow{.method = "GET", .path = "/slow", .scope = {}, .handle = [&](const HttpRequest&) -> Reply {
               began = true;
               while (!let_go) std::this_thread::sleep_for(1ms);
               return text_response(200, "text/plain", "whole");
             }};
  TestServer server({}, {slow});
  RawClient idle(server.port), client(server.port);
  idle.send(server.format("GET", "/api/v1/health"));
  EXPECT_EQ(idle.read_response().status, 200);
  client.send(server.format("GET", "/slow"));
  while (!began) std::this_thread::sleep_for(1ms);
  std::thread stopping([&] { server.server->stop(10s); });
  EXPECT_TRUE(idle.at_end());
  EXPECT_FALSE(RawClient(server.port).send(server.format("GET", "/api/v1/health")) &&
               RawClient(server.port).connected());
  let_go = true;
  const RawResponse response = client.read_response();
  EXPECT_EQ(response.body, "whole");
  EXPECT_EQ(response.header("Connection"), "close");
  stopping.join();
}

// Replies that come later, as an API gives them that answers with the picture itself.
TEST(HttpServer, AnswersLaterAndNoticesClientsThatGoAway) {
  struct Waiting final : StreamHandler {
    explicit Waiting(std::atomic<int>& counted) : count(counted) { ++count; }
    ~Waiting() override { --count; }
    std::atomic<int>& count;
  };
  std::atomic<int> waiting = 0;
  std::mutex mutex;
  std::shared_ptr<Answer> held;
  Route later{.method = "GET", .path = "/later", .scope = {}, .handle = [&](const HttpRequest&) -> Reply {
                return LaterReply{.open = [&](std::shared_ptr<Answer> answer) {
                  const std::scoped_lock lock(mutex);
                  held = std::move(answer);
                  return std::make_unique<Waiting>(waiting);
                }};
              }};
  const TestServer server({}, {later});
  const auto until = [](auto condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
    return condition();
  };
  {
    RawClient client(server.port);
    // The second request is there already when the first is answered.
    client.send(server.format("GET", "/later") + server.format("GET", "/api/v1/health"));
    ASSERT_TRUE(until([&] { return waiting == 1; }));
    {
      const std::scoped_lock lock(mutex);
      held->send(text_response(200, "text/plain", "at last"));
      held->send(text_response(200, "text/plain", "again"));
    }
    EXPECT_EQ(client.read_response().body, "at last");
    EXPECT_EQ(client.read_response().header("Content-Type"), "application/json");
    EXPECT_TRUE(until([&] { return waiting == 0; }));
    client.send(server.format("GET", "/later"));
    ASSERT_TRUE(until([&] { return waiting == 1; }));
  }
  EXPECT_TRUE(until([&] { return waiting == 0; }));
  held.reset();
}

TEST(HttpServer, LogsTheRouteAndNeitherPathNorQuery) {
  TestServer server;
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs/secret-id?prompt=secret-prompt").status, 404);
  for (int i = 0; i < 1000 && server.records().empty(); ++i) std::this_thread::sleep_for(1ms);
  ASSERT_EQ(server.records().size(), 1U);
  const std::string line = format_record(server.records()[0]);
  EXPECT_EQ(line.find("secret"), std::string::npos) << line;
  EXPECT_NE(line.find("method=GET route=/api/v1/jobs/{id} status=404"), std::string::npos) << line;
}

TEST(HttpServer, SaysWhyItCannotListen) {
  const TestServer first;
  ServerOptions options;
  options.listen = {fmt::format("127.0.0.1:{}", first.port)};
  HttpServer second(options, nullptr, {});
  EXPECT_THROW(second.start(), Error);
  options.listen = {"localhost"};
  EXPECT_THROW(HttpServer(options, nullptr, {}).start(), Error);
}

}  // namespace
}  // namespace snug
