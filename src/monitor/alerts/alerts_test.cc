// Alerts from value to webhook: one event for a crossing, also over a new start and with a database or a
// receiver that fails, and nobody who observes waits.
#include "monitor/alerts/alerts.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>

#include "jobs/store_fixture.h"

namespace snug {
namespace {

using std::chrono::milliseconds;

// Answers each request on 127.0.0.1 with the next status of a list, the last for all that follow. 0: hangs up
// without an answer; -1: stays silent.
class Receiver {
 public:
  explicit Receiver(std::vector<int> statuses) : statuses_(std::move(statuses)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listening_, any, size), 0);
    EXPECT_EQ(::listen(listening_, 10), 0);
    EXPECT_EQ(::getsockname(listening_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { loop(); });
  }
  ~Receiver() {
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    for (const int open : silent_) ::close(open);
    ::close(listening_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/hook?key=1", port_); }
  std::vector<std::string> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }
  bool wait_for(size_t count) const {
    for (int i = 0; i < 500 && requests().size() < count; ++i) std::this_thread::sleep_for(milliseconds(10));
    return requests().size() >= count;
  }

 private:
  static bool is_whole(const std::string& request) {
    const size_t end = request.find("\r\n\r\n"), length = request.find("Content-Length: ");
    if (end == std::string::npos || length == std::string::npos) return false;
    return request.size() >= end + 4 + std::stoul(request.substr(length + 16));
  }
  void loop() {
    for (size_t count = 0;; ++count) {
      const int connection = ::accept(listening_, nullptr, nullptr);
      if (connection < 0) return;
      std::string request;
      std::array<char, 4096> part = {};
      while (!is_whole(request)) {
        const ssize_t got = ::read(connection, part.data(), part.size());
        if (got <= 0) break;
        request.append(part.data(), static_cast<size_t>(got));
      }
      {
        const std::scoped_lock lock(mutex_);
        requests_.push_back(request);
      }
      const int status = statuses_[std::min(count, statuses_.size() - 1)];
      if (status == -1) {
        silent_.push_back(connection);
        continue;
      }
      const std::string answer = fmt::format("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", status);
      if (status > 0) {
        EXPECT_GT(::write(connection, answer.data(), answer.size()), 0);
      }
      ::close(connection);
    }
  }

  std::vector<int> statuses_, silent_;
  int listening_ = -1;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

WebhookOptions quick(const std::string& url) {
  WebhookOptions options;
  options.url = url;
  options.timeout = milliseconds(300);
  options.waits = {milliseconds(10), milliseconds(20), milliseconds(40)};
  return options;
}

void wait_until(const std::function<bool()>& is_so) {
  for (int i = 0; i < 1000 && !is_so(); ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_TRUE(is_so());
}

AlertValues memory(double percent) {
  AlertValues values;
  values[static_cast<size_t>(AlertKind::kMemory)] = percent;
  return values;
}

class AlertsTest : public StoreTest {};
INSTANTIATE_TEST_SUITE_P(Databases, AlertsTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(AlertsTest, ACrossingIsOneEventEverywhereAndANewStartTellsNothingAgain) {
  std::vector<AlertEvent> heard;
  {
    Alerts alerts(database(), {});
    const auto subscription =
        alerts.subscribe([&](const AlertEvent& event, ServiceStatus) { heard.push_back(event); });
    for (int i = 0; i < 10; ++i) alerts.observe(kStartMs + i, memory(92));
    alerts.settle();
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].time_ms, kStartMs + 1) << "the second in a row";
    EXPECT_EQ(heard[0].id, 1);
    EXPECT_EQ(alerts.status(), ServiceStatus::kLimited);
    EXPECT_EQ(alerts.recent().size(), 1u);
  }
  close();
  Alerts alerts(database(), {});
  EXPECT_EQ(alerts.status(), ServiceStatus::kLimited);
  const auto subscription =
      alerts.subscribe([&](const AlertEvent& event, ServiceStatus) { heard.push_back(event); });
  for (int i = 0; i < 10; ++i) alerts.observe(kStartMs + 100 + i, memory(92));
  alerts.settle();
  EXPECT_EQ(heard.size(), 1u);
  alerts.observe(kStartMs + 200, memory(50));
  alerts.settle();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[1].change, AlertChange::kCleared);
  EXPECT_EQ(alerts.status(), ServiceStatus::kOptimal);
  EXPECT_EQ(alerts.recent().size(), 2u);
  EXPECT_EQ(AlertStore(database()).active(), std::vector<ActiveAlert>{});
}

TEST_P(AlertsTest, OtherValuesAreAskedForAndMayFail) {
  AlertOptions options;
  std::atomic<int> asked = 0;
  options.more = [&] {
    if (asked++ == 0) throw Error(ErrorCode::kStoreError, "not now");
    AlertValues values;
    values[static_cast<size_t>(AlertKind::kFailureRate)] = 60;
    return values;
  };
  Alerts alerts(database(), std::move(options));
  alerts.observe(1, memory(1));
  alerts.settle();
  EXPECT_EQ(alerts.status(), ServiceStatus::kOptimal);
  alerts.observe(2, memory(1));
  alerts.settle();
  EXPECT_EQ(alerts.status(), ServiceStatus::kCritical);
}

TEST_P(AlertsTest, WhatCannotBeKeptIsToldAndKeptLater) {
  Alerts alerts(database(), {});
  std::atomic<int> heard = 0;
  const auto subscription = alerts.subscribe([&](const AlertEvent&, ServiceStatus) { ++heard; });
  database().write([](Sql& sql) { sql.run("ALTER TABLE alert_event RENAME TO elsewhere"); });
  alerts.observe(1, memory(92));
  alerts.observe(2, memory(92));
  alerts.settle();
  EXPECT_EQ(heard, 1);
  database().write([](Sql& sql) { sql.run("ALTER TABLE elsewhere RENAME TO alert_event"); });
  alerts.observe(3, memory(92));
  alerts.settle();
  EXPECT_EQ(heard, 1) << "nobody is told twice";
  EXPECT_EQ(AlertStore(database()).events(10).size(), 1u);
  EXPECT_EQ(AlertStore(database()).active().size(), 1u);
}

TEST_P(AlertsTest, TheWebhookGetsTheDocument) {
  Receiver receiver({200});
  AlertOptions options;
  options.webhook = quick(receiver.url());
  Alerts alerts(database(), std::move(options));
  alerts.observe(kStartMs, memory(99));
  alerts.observe(kStartMs + 1, memory(99));
  ASSERT_TRUE(receiver.wait_for(2));
  const std::string request = receiver.requests()[1];
  EXPECT_TRUE(request.starts_with("POST /hook?key=1 HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Content-Type: application/json\r\n"), std::string::npos);
  const auto json = nlohmann::ordered_json::parse(request.substr(request.find("\r\n\r\n") + 4));
  EXPECT_EQ(json["kind"], "memory");
  EXPECT_EQ(json["level"], "critical");
  EXPECT_EQ(json["change"], "fired");
  EXPECT_EQ(json["value"], 99);
  EXPECT_EQ(json["threshold"], 97);
  EXPECT_EQ(json["status"], "insufficient");
  EXPECT_EQ(json["time_ms"], kStartMs + 1);
  wait_until([&] { return alerts.webhook_counts().delivered == 2; });
}

TEST(Webhook, TriesAgainAfterFailuresAndThenGivesUp) {
  Receiver receiver({500, 0, -1, 204, 503});
  Webhook webhook(quick(receiver.url()));
  webhook.send("{\"n\":1}");
  wait_until([&] { return webhook.counts().delivered == 1; });
  EXPECT_EQ(receiver.requests().size(), 4u) << "an error, a hang-up, a silence, and at last taken";
  webhook.send("{\"n\":2}");
  wait_until([&] { return webhook.counts().failed == 1; });
  EXPECT_EQ(receiver.requests().size(), 8u) << "once, and three times again";
}

TEST(Webhook, ARefusalIsFinal) {
  Receiver receiver({404});
  Webhook webhook(quick(receiver.url()));
  webhook.send("{}");
  wait_until([&] { return webhook.counts().failed == 1; });
  EXPECT_EQ(receiver.requests().size(), 1u);
}

TEST(Webhook, NobodyWaitsForAReceiverThatIsSilentOrGone) {
  Receiver receiver({-1});
  WebhookOptions options = quick(receiver.url());
  options.timeout = std::chrono::seconds(60);
  options.most_waiting = 5;
  const auto start = std::chrono::steady_clock::now();
  {
    Webhook webhook(options);
    webhook.send("{}");
    ASSERT_TRUE(receiver.wait_for(1));
    for (int i = 0; i < 20; ++i) webhook.send("{}");
    EXPECT_EQ(webhook.counts().dropped, 15);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << "and it stops at once";
  Webhook gone(quick("http://127.0.0.1:1/"));
  gone.send("{}");
  wait_until([&] { return gone.counts().failed == 1; });
}

TEST(Webhook, AnAddressIsReadAsItIsWritten) {
  const WebhookAddress plain = parse_webhook_address("http://example.org");
  EXPECT_EQ(plain.host + " " + plain.port + " " + plain.path, "example.org 80 /");
  const WebhookAddress tls = parse_webhook_address("https://[::1]:8443/a/b?c=d#e");
  EXPECT_TRUE(tls.is_tls);
  EXPECT_EQ(tls.host + " " + tls.port + " " + tls.path, "::1 8443 /a/b?c=d");
  for (const char* wrong :
       {"", "ftp://x/", "http://", "http://:80/", "http://x:0/", "http://x:99999/", "http://x:8a/",
        "http://u:p@x/", "http://[::1/", "http://x/a b", "http://x/\r\nHost: y"}) {
    EXPECT_THROW(parse_webhook_address(wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace snug
