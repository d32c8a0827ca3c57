// Progress as clients see it: Server-Sent Events and WebSockets, slow and many clients, and TLS.
#include <fstream>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/process_memory.h"
#include "server/outbox.h"
#include "server/test_server.h"

namespace snug {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::RawClient;
using testing::RawResponse;
using testing::TestServer;
namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;

ServerOptions quick_heartbeat() {
  ServerOptions options;
  options.limits.heartbeat = 50ms;
  return options;
}

const std::string kUpgrade =
    "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

template <class Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
  return condition();
}

Job submitted(TestServer& server) {
  const RawResponse made = server.post_json("/api/v1/jobs", "{}");
  return server.service.job(json::parse(made.body)["id"], "");
}

TEST(EventStream, BeginsWithThePresentStateAndEndsWithTheJob) {
  TestServer server;
  Job job = submitted(server);
  job.state = JobState::kRunning;
  job.step = 3;
  server.service.move(job);
  RawClient client(server.port);
  client.send(
      server.format("GET", "/api/v1/jobs/" + job.id + "/events", {}, "Last-Event-ID: x:running:1\r\n"));
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_NE(head.find("Content-Type: text/event-stream\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos) << head;
  EXPECT_NE(client.read_until("\n\n\r\n").find("retry: 2000"), std::string::npos);
  const std::string first = client.read_until("\n\n\r\n");
  EXPECT_NE(first.find("id: " + job.id + ":running:3\nevent: job\ndata: {"), std::string::npos) << first;
  ASSERT_TRUE(soon([&] { return server.service.subscriptions == 1; }));
  server.service.move(job, std::make_shared<std::vector<std::byte>>(3, std::byte{0}));
  EXPECT_NE(client.read_until("\n\n\r\n").find("event: preview\ndata: {\"id\":\"" + job.id),
            std::string::npos);
  job.state = JobState::kDone;
  server.service.move(job);
  const std::string rest = client.read_to_end();
  EXPECT_NE(rest.find("\"state\":\"done\""), std::string::npos) << rest;
  EXPECT_TRUE(rest.ends_with("0\r\n\r\n")) << rest;
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(soon([&] { return server.service.subscriptions == 0; }));
}

TEST(EventStream, EndsAtOnceForAJobThatHasEnded) {
  TestServer server;
  const Job job = submitted(server);
  server.service.cancel(job.id, "");
  RawClient client(server.port);
  client.send(server.format("GET", "/api/v1/jobs/" + job.id + "/events"));
  EXPECT_NE(client.read_to_end().find("\"state\":\"cancelled\""), std::string::npos);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(server.ask("GET", "/api/v1/jobs/none/events").status, 404);
}

TEST(EventStream, BeatsWhileNothingHappensAndForgetsClientsThatGo) {
  TestServer server(quick_heartbeat());
  {
    RawClient client(server.port);
    client.send(server.format("GET", "/api/v1/events"));
    EXPECT_NE(client.read_until(":\n\n").find(":\n\n"), std::string::npos);
    EXPECT_EQ(server.service.subscriptions, 1);
    const Job job = submitted(server);
    server.service.move(job);
    EXPECT_NE(client.read_until("\"state\":\"queued\"").find(job.id), std::string::npos);
  }
  EXPECT_TRUE(soon([&] { return server.service.subscriptions == 0; }));
}

TEST(EventStream, EndsWhenTheServerStops) {
  TestServer server;
  RawClient client(server.port);
  client.send(server.format("GET", "/api/v1/events"));
  EXPECT_NE(client.read_until("retry: 2000\n\n").find("retry"), std::string::npos);
  server.server->stop(10s);
  EXPECT_TRUE(client.read_to_end().ends_with("0\r\n\r\n"));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(server.service.subscriptions, 0);
}

TEST(Outbox, DropsForSlowClientsWhatALaterMessageSaysAndCutsOffTheRest) {
  int woken = 0;
  Outbox outbox(200'000, [&] { ++woken; });
  EXPECT_TRUE(outbox.send(std::string(100'000, 'a'), Delivery::kIfPrompt));  // alone: of any size
  EXPECT_TRUE(outbox.send("dropped", Delivery::kIfPrompt));
  EXPECT_TRUE(outbox.send("kept", Delivery::kAlways));
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(outbox.take()->bytes.size(), 100'000U);
  EXPECT_EQ(outbox.take()->bytes, "kept");
  EXPECT_FALSE(outbox.take().has_value());
  outbox.send(std::string(200'001, 'b'), Delivery::kAlways);
  EXPECT_TRUE(outbox.has_overflowed());
  EXPECT_FALSE(outbox.send("after", Delivery::kAlways));
}

class SocketClient {
 public:
  explicit SocketClient(uint16_t port, const std::string& protocols = {}) : stream_(io_) {
    stream_.next_layer().connect({asio::ip::make_address("127.0.0.1"), port});
    stream_.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
      if (!protocols.empty()) request.set("Sec-WebSocket-Protocol", protocols);
    }));
    stream_.handshake(response_, fmt::format("localhost:{}", port), "/api/v1/ws", error_);
  }
  bool connected() const { return !error_; }
  std::string protocol() const { return response_["Sec-WebSocket-Protocol"].to_string(); }
  void send(const std::string& text) { stream_.write(asio::buffer(text), error_); }
  void send_binary() {
    stream_.binary(true);
    send("x");
  }
  // null at the end.
  json receive() {
    boost::beast::flat_buffer buffer;
    stream_.read(buffer, error_);
    return error_ ? json() : json::parse(boost::beast::buffers_to_string(buffer.data()));
  }
  int close_code() const { return stream_.reason().code; }

 private:
  asio::io_context io_;
  websocket::response_type response_;
  boost::system::error_code error_;
  websocket::stream<tcp::socket> stream_;
};

TEST(ProgressSocket, TellsWhatWasSubscribed) {
  TestServer server;
  Job job = submitted(server);
  SocketClient client(server.port, "snug.v1, other");
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.protocol(), "snug.v1");
  client.send(R"({"type":"ping"})");
  EXPECT_EQ(client.receive()["type"], "pong");
  client.send(json{{"type", "subscribe"}, {"job", job.id}, {"previews", true}}.dump());
  EXPECT_EQ(client.receive(), json({{"type", "subscribed"}, {"job", job.id}}));
  EXPECT_EQ(client.receive()["state"], "queued");
  job.state = JobState::kRunning;
  job.step = 4;
  server.service.move(job);
  const json progress = client.receive();
  EXPECT_EQ(progress["type"], "job");
  EXPECT_EQ(progress["progress"]["step"], 4);
  server.service.move(job, std::make_shared<std::vector<std::byte>>(3, std::byte{0}));
  EXPECT_EQ(client.receive()["base64"], "AAAA");
  client.send(json{{"type", "unsubscribe"}, {"job", job.id}}.dump());
  EXPECT_EQ(client.receive()["type"], "unsubscribed");
  EXPECT_EQ(server.service.subscriptions, 0);
  client.send(R"({"type":"subscribe"})");
  EXPECT_EQ(client.receive()["job"], nullptr);
  server.service.move(job, std::make_shared<std::vector<std::byte>>(3, std::byte{0}));  // not asked for
  server.service.move(job);
  EXPECT_EQ(client.receive()["type"], "job");
}

TEST(ProgressSocket, AnswersNonsenseAndStays) {
  TestServer server;
  SocketClient client(server.port);
  for (const std::string text : {"", "{", "[]", R"({"type":"x"})", R"({"type":"ping","more":1})",
                                 R"({"type":"subscribe","job":5})", R"({"type":"subscribe","job":"none"})"}) {
    client.send(text);
    const json answer = client.receive();
    EXPECT_EQ(answer["type"], "error") << text;
    EXPECT_TRUE(answer["error"].contains("code")) << text;
  }
  client.send_binary();
  EXPECT_TRUE(client.receive().is_null());
  EXPECT_EQ(client.close_code(), 1003);
  SocketClient large(server.port);
  large.send(std::string(100'000, 'x'));
  EXPECT_TRUE(large.receive().is_null());
  EXPECT_EQ(large.close_code(), 1009);
  EXPECT_EQ(server.ask("GET", "/api/v1/health").status, 200);
}

TEST(ProgressSocket, TakesATokenAsAProtocol) {
  ServerOptions options;
  options.require_token = true;
  const TestServer server(options);
  EXPECT_EQ(server.ask("GET", "/api/v1/ws", {}, kUpgrade).status, 401);
  EXPECT_EQ(
      server
          .ask("GET", "/api/v1/ws", {}, kUpgrade + "Sec-WebSocket-Protocol: snug.v1, snug.token.generate\r\n")
          .status,
      403);
  SocketClient client(server.port, "snug.v1, snug.token.read");
  EXPECT_TRUE(client.connected());
  EXPECT_EQ(client.protocol(), "snug.v1");  // never the token
}

TEST(ProgressSocket, ClosesWhenTheServerStops) {
  TestServer server;
  SocketClient client(server.port);
  client.send(R"({"type":"subscribe"})");
  client.receive();
  std::thread stopping([&] { server.server->stop(10s); });
  EXPECT_TRUE(client.receive().is_null());
  EXPECT_EQ(client.close_code(), 1001);
  stopping.join();
  EXPECT_EQ(server.service.subscriptions, 0);
}

// Both ends live in this process, so the clients are bare sockets, whose memory is the system's.
TEST(ProgressSocket, HoldsFiveHundredIdleClientsInLittleMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's memory is not ours";
#endif
  TestServer server;
  const auto open = [&](std::vector<std::unique_ptr<RawClient>>& clients) {
    auto& client = clients.emplace_back(std::make_unique<RawClient>(server.port));
    client->send(server.format("GET", "/api/v1/ws", {}, kUpgrade));
    EXPECT_EQ(client->read_response().status, 101);
    // {"type":"subscribe"}, as a masked text frame with a mask of zeros.
    client->send(std::string("\x81\x94\0\0\0\0", 6) + R"({"type":"subscribe"})");
    client->read_until("\"subscribed\"");
  };
  std::vector<std::unique_ptr<RawClient>> clients;
  open(clients);  // what the first one needs is no client's
  release_freed_memory();
  const uint64_t before = process_memory().resident_bytes;
  for (int i = 0; i < 500; ++i) open(clients);
  const uint64_t grown = process_memory().resident_bytes - before;
  RecordProperty("resident_bytes_of_500", std::to_string(grown));
  fmt::print("500 idle WebSocket clients: {} KiB of resident memory\n", grown / 1024);
  EXPECT_LT(grown, uint64_t{20} * 1000 * 1000);
  EXPECT_EQ(server.service.subscriptions, 501);
  clients.clear();
  EXPECT_TRUE(soon([&] { return server.service.subscriptions == 0; }));
}

// A key and a certificate of our own signing, for this test's time.
struct Certificate {
  std::string certificate_file, key_file;
};

Certificate make_certificate() {
  const std::string folder = ::testing::TempDir();
  Certificate made{folder + "/server_test_certificate.pem", folder + "/server_test_key.pem"};
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_sign(certificate, key, EVP_sha256());
  BIO* out = BIO_new_file(made.certificate_file.c_str(), "w");
  PEM_write_bio_X509(out, certificate);
  BIO_free(out);
  out = BIO_new_file(made.key_file.c_str(), "w");
  PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  BIO_free(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}

TEST(Tls, ServesWithACertificateAndShutsOutThoseWithoutTls) {
  const Certificate certificate = make_certificate();
  ServerOptions options;
  options.certificate_file = certificate.certificate_file;
  options.key_file = certificate.key_file;
  options.limits.header_time = 300ms;
  const TestServer server(options);
  EXPECT_TRUE(server.server->addresses()[0].starts_with("https://"));
  asio::io_context io;
  asio::ssl::context context(asio::ssl::context::tls_client);
  context.load_verify_file(certificate.certificate_file);
  context.set_verify_mode(asio::ssl::verify_peer);
  asio::ssl::stream<tcp::socket> stream(io, context);
  stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), server.port});
  stream.handshake(asio::ssl::stream_base::client);
  for (int i = 0; i < 2; ++i) {
    asio::write(stream, asio::buffer(server.format("GET", "/api/v1/health")));
    std::string answer(4096, '\0');
    answer.resize(stream.read_some(asio::buffer(answer)));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  }
  asio::write(stream, asio::buffer(server.format("GET", "/api/v1/health", {}, "Connection: close\r\n")));
  std::string rest;
  boost::system::error_code error;
  while (!error) {
    char bytes[4096];
    rest.append(bytes, stream.read_some(asio::buffer(bytes), error));
  }
  EXPECT_TRUE(rest.starts_with("HTTP/1.1 200"));
  EXPECT_EQ(error, asio::error::eof);  // said, not cut off

  RawClient plain(server.port);
  plain.send(server.format("GET", "/api/v1/health"));
  EXPECT_FALSE(plain.read_to_end().starts_with("HTTP/"));
  RawClient silent(server.port);
  EXPECT_TRUE(silent.at_end());
}

TEST(Tls, RefusesFilesThatAreNoCertificate) {
  const Certificate certificate = make_certificate();
  ServerOptions options;
  options.certificate_file = certificate.key_file;
  options.key_file = certificate.certificate_file;
  EXPECT_THROW(check_server_options(options, nullptr), Error);
  options.certificate_file = options.key_file = "/nowhere.pem";
  EXPECT_THROW(check_server_options(options, nullptr), Error);
  options.certificate_file = certificate.certificate_file;
  options.key_file = certificate.key_file;
  check_server_options(options, nullptr);
}

}  // namespace
}  // namespace snug
