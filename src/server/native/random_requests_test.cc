// Random requests by the OpenAPI document that the server serves, sent over connections to a server with the
// real service behind it. Whatever is sent, the answer is one that the document lists, of the form that it
// says, and nobody's fault but the client's.
//
// SNUG_RANDOM_REQUESTS=20000 sends that many; SNUG_RANDOM_SEED is another series.
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/stopwatch.h"
#include "server/native/random_operation.h"
#include "server/real_server.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::OpenapiDocument;
using testing::RandomOperation;
using testing::RawClient;
using testing::RawResponse;

constexpr uint64_t kUsualCount = 800;

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

class RandomRequests : public ::testing::Test {
 protected:
  static std::string get(uint16_t port, const std::string& target) {
    RawClient client(port);
    client.send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", target, port));
    return client.read_response().body;
  }

  RawResponse ask(const RandomOperation& made) const {
    RawClient client(server_.port());
    client.send(made.text);
    if (made.is_odd_head) client.finish_sending();  // it may wait for more
    return client.read_response(made.sent_method == "HEAD");
  }

  // What the document's description says of all requests.
  bool is_refusal_of_http(const RandomOperation& made, int status) const {
    const std::string text = document_.json_document()["info"]["description"];
    if (status >= 400 && status < 500 && text.find(std::to_string(status)) != std::string::npos) return true;
    return (made.is_odd_target || made.is_odd_head) && (status == 400 || status == 404);
  }

  // Empty, or what is wrong about the answer.
  std::string fault(const RandomOperation& made, const RawResponse& response) const {
    const int status = response.status;
    if (status == 0) return made.is_odd_head ? "" : "is none";
    const bool is_other = made.sent_method != made.method;
    if (is_other && made.sent_method == "HEAD") return status < 500 ? "" : "is a fault of the server";
    if (is_other && made.sent_method == "OPTIONS" && status == 204) return "";
    const bool is_other_operation = is_other || made.is_odd_target || made.is_odd_head;
    std::string found = document_.response_fault(made.method, made.path, response);
    if (found.empty()) return "";
    if (is_refusal_of_http(made, status)) return document_.error_fault(response);
    if (is_other_operation && status < 400) return "";
    return found;
  }

  // What later requests are about.
  void remember(const RandomOperation& made, const RawResponse& response) {
    if (made.sent_method != "POST" || response.status < 200 || response.status > 202) return;
    const json body = json::parse(response.body);
    if (made.path == "/api/v1/jobs") known_.jobs.push_back(body["id"]);
    if (made.path == "/api/v1/images") known_.images.push_back(body["id"]);
    if (made.path == "/api/v1/tokens") {
      known_.tokens.push_back(body["id"]);
      known_.secrets.push_back(body["secret"]);
    }
  }

  void report(double slowest_seconds, const std::string& slowest) const {
    for (const auto& [status, times] : answers_) fmt::print("{}: {} times\n", status, times);
    fmt::print("slowest: {:.3f} s: {}\n", slowest_seconds, slowest.substr(0, 1000));
  }

  testing::RealServer server_;
  const OpenapiDocument document_{get(server_.port(), "/openapi.json")};
  testing::KnownNames known_;
  std::map<int, uint64_t> answers_;  // by status
};

TEST_F(RandomRequests, GetAnswersThatTheDocumentLists) {
  const testing::RandomOperations operations(document_, known_, server_.port());
  const uint64_t count = setting("SNUG_RANDOM_REQUESTS", kUsualCount), seed = setting("SNUG_RANDOM_SEED", 1);
  int faults = 0;
  double slowest_seconds = 0;
  std::string slowest;
  for (uint64_t i = 0; i < count && faults < 10; ++i) {
    testing::Random random(seed * 1'000'003 + i);
    const RandomOperation made = operations.make(random);
    const Stopwatch watch;
    const RawResponse response = ask(made);
    if (watch.seconds() > slowest_seconds) {
      slowest_seconds = watch.seconds();
      slowest = made.text;
    }
    ++answers_[response.status];
    const std::string found = fault(made, response);
    if (!found.empty()) {
      ++faults;
      ADD_FAILURE() << "request " << i << ": the answer " << found << "\n"
                    << made.text.substr(0, 3000) << "\n-> " << response.status << " "
                    << response.body.substr(0, 500);
    }
    remember(made, response);
    if (random.chance(5)) server_.cancel_all();
    if (i % 100 == 99) {
      EXPECT_EQ(json::parse(get(server_.port(), "/api/v1/health"))["status"], "ok");
    }
  }
  if (count > kUsualCount) report(slowest_seconds, slowest);
  for (const int status : {200, 201, 202, 204, 400, 403, 404, 405, 413, 415, 422})
    EXPECT_GT(answers_[status], 0U) << "no request came so far as to get " << status;
  server_.cancel_all();
  EXPECT_EQ(server_.stop_and_take_log().find(testing::kMark), std::string::npos)
      << "the log has what a client sent";
}

}  // namespace
}  // namespace snug
