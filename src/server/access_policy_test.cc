// Who gets in: Host, Origin, tokens and scopes, and what CORS and the page's headers say.
#include "server/access_policy.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/error.h"
#include "server/test_server.h"

namespace snug {
namespace {

using testing::RawResponse;
using testing::TestServer;

ServerOptions with_tokens() {
  ServerOptions options;
  options.require_token = true;
  return options;
}

std::string bearer(std::string_view secret) { return fmt::format("Authorization: Bearer {}\r\n", secret); }

std::string basic(std::string_view user, std::string_view password) {
  const std::string pair = fmt::format("{}:{}", user, password);
  return fmt::format("Authorization: Basic {}\r\n", encode_base64(std::as_bytes(std::span(pair))));
}

int status_with_host(const TestServer& server, const std::string& host) {
  testing::RawClient client(server.port);
  client.send(fmt::format("GET /api/v1/models HTTP/1.1\r\n{}\r\n", host));
  return client.read_response().status;
}

TEST(AccessPolicy, RefusesAHostThatThisServerIsNot) {
  ServerOptions options;
  options.host_names = {"snug.example.org"};
  const TestServer server(options);
  for (const std::string good : {"localhost:{}", "127.0.0.1:{}", "[::1]:{}", "LocalHost:{}",
                                 "snug.example.org", "snug.example.org:443"}) {
    EXPECT_EQ(status_with_host(server, "Host: " + fmt::format(fmt::runtime(good), server.port) + "\r\n"), 200)
        << good;
  }
  for (const std::string hostile : {"evil.example:{}", "localhost.evil.example:{}", "localhost", "127.0.0.1",
                                    "127.0.0.1:1", "127.0.0.2:{}", "[::2]:{}", "evil.example"}) {
    EXPECT_EQ(status_with_host(server, "Host: " + fmt::format(fmt::runtime(hostile), server.port) + "\r\n"),
              421)
        << hostile;
  }
  for (const std::string malformed :
       {"", "Host: \r\n", "Host: a:b\r\n", "Host: [::1\r\n", "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost:99999\r\n"}) {
    EXPECT_EQ(status_with_host(server, malformed), 400) << malformed;
  }
  // In the absolute form the target's own counts.
  testing::RawClient client(server.port);
  client.send(fmt::format("GET http://evil.example/api/v1/models HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
                          server.port));
  EXPECT_EQ(client.read_response().status, 421);
}

TEST(AccessPolicy, LetsEverybodyInOnLoopbackWhateverTokenTheirClientSends) {
  TestServer server;
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs").status, 200);
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, bearer("sk-whatever")).status, 200);
  EXPECT_EQ(server.post_json("/api/v1/jobs", R"({"prompt":"x"})", bearer("sk-whatever")).status, 202);
  EXPECT_EQ(server.service.last.owner, "");
}

TEST(AccessPolicy, AsksForATokenOfTheRightScope) {
  TestServer server(with_tokens());
  const RawResponse none = server.ask("GET", "/api/v1/jobs");
  EXPECT_EQ(none.status, 401);
  EXPECT_NE(none.header("WWW-Authenticate").find("Bearer"), std::string::npos);
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, bearer("wrong")).status, 401);
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, bearer("read")).status, 200);
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, bearer("generate")).status, 403);
  EXPECT_EQ(server.post_json("/api/v1/jobs", "{}", bearer("read")).status, 403);
  EXPECT_EQ(server.post_json("/api/v1/jobs", "{}", bearer("generate")).status, 202);
  EXPECT_EQ(server.service.last.owner, "generate");
  EXPECT_EQ(server.ask("GET", "/api/v1/tokens", {}, bearer("read generate")).status, 403);
  EXPECT_EQ(server.ask("GET", "/api/v1/tokens", {}, bearer("admin")).status, 200);
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, basic("anyone", "read")).status, 200);
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, basic("anyone", "wrong")).status, 401);
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, "Authorization: Basic !!!\r\n").status, 400);
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, "Authorization: Digest x\r\n").status, 400);
  // What says nothing of anybody.
  EXPECT_EQ(server.ask("GET", "/api/v1/health").status, 200);
  EXPECT_EQ(server.ask("GET", "/").status, 200);
  // Nothing was begun for those who were refused.
  EXPECT_EQ(server.service.submitted, 1);
}

TEST(AccessPolicy, ShowsNobodyWhatOthersOwn) {
  const TestServer server(with_tokens());
  const RawResponse made = server.post_json("/api/v1/jobs", "{}", bearer("read generate"));
  const std::string job = made.header("Location");
  EXPECT_EQ(server.ask("GET", job, {}, bearer("read generate")).status, 200);
  EXPECT_EQ(server.ask("GET", job, {}, bearer("other read generate")).status, 404);
  EXPECT_EQ(server.ask("DELETE", job, {}, bearer("other read generate")).status, 404);
  EXPECT_EQ(server.ask("GET", job + "/events", {}, bearer("other read generate")).status, 404);
  EXPECT_EQ(server.ask("GET", job, {}, bearer("read generate admin")).status, 200);
}

TEST(AccessPolicy, LetsNoPageOfAnotherSiteChangeAnything) {
  TestServer server;
  EXPECT_EQ(server.post_json("/api/v1/jobs", "{}", "Origin: https://evil.example\r\n").status, 403);
  EXPECT_EQ(server.post_json("/api/v1/jobs", "{}", "Origin: null\r\n").status, 403);
  EXPECT_EQ(
      server.post_json("/api/v1/jobs", "{}", fmt::format("Origin: http://localhost:{}\r\n", server.port))
          .status,
      202);
  EXPECT_EQ(server
                .ask("GET", "/api/v1/ws", {},
                     "Origin: https://evil.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
                .status,
            403);
  EXPECT_EQ(server.service.submitted, 1);
}

TEST(AccessPolicy, AnswersOtherOriginsOnlyWhereConfigured) {
  ServerOptions options;
  options.origins = {"https://app.example"};
  const TestServer server(options), closed;
  const std::string app = "Origin: https://app.example\r\n", evil = "Origin: https://evil.example\r\n";
  EXPECT_EQ(closed.ask("GET", "/api/v1/jobs", {}, app).header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, app).header("Access-Control-Allow-Origin"),
            "https://app.example");
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, evil).header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs", {}, evil).header("Vary"), "Origin");
  EXPECT_EQ(server.post_json("/api/v1/jobs", "{}", app).status, 202);
  const RawResponse asked =
      server.ask("OPTIONS", "/api/v1/jobs", {}, app + "Access-Control-Request-Method: POST\r\n");
  EXPECT_EQ(asked.status, 204);
  EXPECT_NE(asked.header("Access-Control-Allow-Methods").find("POST"), std::string::npos);
  EXPECT_NE(asked.header("Access-Control-Allow-Headers").find("Idempotency-Key"), std::string::npos);
  EXPECT_EQ(server.ask("OPTIONS", "/api/v1/jobs", {}, evil).header("Access-Control-Allow-Methods"), "");
}

TEST(AccessPolicy, GuardsThePage) {
  const TestServer server;
  const RawResponse page = server.ask("GET", "/");
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_NE(page.header("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  // Without it browsers play no clip.
  EXPECT_NE(page.header("Content-Security-Policy").find("media-src 'self' blob:"), std::string::npos);
  EXPECT_EQ(page.header("X-Frame-Options"), "DENY");
  EXPECT_EQ(server.ask("GET", "/", {}, "If-None-Match: " + page.header("ETag") + "\r\n").status, 304);
  EXPECT_EQ(server.ask("GET", "/index.html").body, page.body);
}

std::string refusal_of(const ServerOptions& options, AccessControl* access) {
  try {
    const AccessPolicy policy(options, access);
    return policy.requires_token() ? "tokens" : "open";
  } catch (const Error& error) {
    return std::string(error.word());
  }
}

TEST(AccessPolicy, NeedsTokensWhereOthersCanReachIt) {
  testing::MadeUpAccess access, empty;
  empty.has_any = false;
  ServerOptions options;
  EXPECT_EQ(refusal_of(options, nullptr), "open");
  options.listen = {"127.0.0.1:1", "0.0.0.0:1"};
  EXPECT_EQ(refusal_of(options, nullptr), "invalid_argument");
  EXPECT_EQ(refusal_of(options, &empty), "invalid_argument");
  EXPECT_EQ(refusal_of(options, &access), "tokens");
  EXPECT_EQ(AccessPolicy(options, &access).notices().size(), 2U);
  options.require_token = false;
  EXPECT_EQ(refusal_of(options, &access), "invalid_argument");
  options = ServerOptions();
  options.listen = {"[::1]:1"};
  EXPECT_EQ(refusal_of(options, nullptr), "open");
  EXPECT_TRUE(AccessPolicy(options, nullptr).notices().empty());
  for (const std::string bad :
       {"", "nowhere", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:5", "example.org:5"}) {
    options.listen = {bad};
    EXPECT_EQ(refusal_of(options, &access), "invalid_argument") << bad;
  }
  options = ServerOptions();
  options.certificate_file = "a.pem";
  EXPECT_EQ(refusal_of(options, nullptr), "invalid_argument");
}

TEST(Base64, ReadsOnlyWhatItWrites) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    const std::string encoded = encode_base64(std::as_bytes(std::span(text)));
    const auto decoded = decode_base64(encoded);
    ASSERT_TRUE(decoded.has_value()) << text;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(decoded->data()), decoded->size()), text);
  }
  EXPECT_EQ(encode_base64(std::as_bytes(std::span(std::string_view("fooba")))), "Zm9vYmE=");
  for (const std::string bad : {"Z", "Zh==", "Zm9v=", "Zm=9", "Zm9v\n", "Zm9-", "===="})
    EXPECT_FALSE(decode_base64(bad).has_value()) << bad;
}

}  // namespace
}  // namespace snug
