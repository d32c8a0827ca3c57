// What tells others how the service is: systemd by a datagram, load balancers by readiness and its reason.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "base/stopwatch.h"
#include "jobs/store_fixture.h"
#include "monitor/notify_systemd.h"
#include "monitor/readiness.h"
#include "monitor/stub_service.h"

namespace snug {
namespace {

using testing::StubService;

// Stands for the service manager. `name` as NOTIFY_SOCKET has it.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const size_t end = name[0] == '@' ? 0 : 1;
    bound_ = ::bind(socket_, reinterpret_cast<const sockaddr*>(&address),
                    static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + end)) == 0;
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(socket_);
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  bool bound() const { return bound_; }
  std::string received() const {
    std::array<char, 4096> text{};
    const ssize_t bytes = ::recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
    return bytes < 0 ? "nothing" : std::string(text.data(), static_cast<size_t>(bytes));
  }

 private:
  int socket_;
  bool bound_ = false;
};

TEST(NotifySystemd, ReachesASocketInTheFileSystem) {
  const TemporaryFolder folder;
  const NotifySocket manager(folder.path("notify"));
  ASSERT_TRUE(manager.bound());
  EXPECT_TRUE(notify_systemd("READY=1\nSTATUS=listening"));
  EXPECT_EQ(manager.received(), "READY=1\nSTATUS=listening");
}

TEST(NotifySystemd, ReachesAnAbstractSocket) {
  const NotifySocket manager("@snug-test-" + std::to_string(::getpid()));
  ASSERT_TRUE(manager.bound());
  EXPECT_TRUE(notify_systemd("STOPPING=1"));
  EXPECT_EQ(manager.received(), "STOPPING=1");
}

TEST(NotifySystemd, WithoutAManagerNothingHappens) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(notify_systemd("READY=1"));
  for (const std::string& name : {std::string(), std::string("relative"), std::string("/nowhere/at/all"),
                                  "/" + std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    EXPECT_FALSE(notify_systemd("READY=1")) << name;
  }
  ::unsetenv("NOTIFY_SOCKET");
}

TEST(NotifySystemd, AStatusIsOneLine) { EXPECT_EQ(systemd_status("one\nREADY=1"), "STATUS=one READY=1"); }

class ReadinessTest : public StoreTest {
 protected:
  ReadinessParts parts() {
    return {.service = service_,
            .database = database(),
            .data_folder = folder_.path(""),
            .least_free_bytes = 1,
            .most_queued = 10};
  }
  StubService service_;
};

INSTANTIATE_TEST_SUITE_P(Databases, ReadinessTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(ReadinessTest, IsReadyUntilItStops) {
  Readiness readiness(parts());
  EXPECT_EQ(readiness.why_not(), std::nullopt);
  readiness.stopping();
  EXPECT_EQ(readiness.why_not(), "the service is stopping");
}

TEST_P(ReadinessTest, AFullQueueIsAReason) {
  service_.queue = [] {
    QueueFigures figures;
    figures.queued = 10;
    return figures;
  };
  EXPECT_EQ(Readiness(parts()).why_not(), "the queue is full: 10 jobs wait");
}

TEST_P(ReadinessTest, ADiskThatIsNearlyFullIsAReason) {
  ReadinessParts given = parts();
  given.least_free_bytes = UINT64_MAX;
  const auto reason = Readiness(given).why_not();
  ASSERT_TRUE(reason.has_value());
  EXPECT_NE(reason->find("nearly full"), std::string::npos) << *reason;
  EXPECT_EQ(reason->find(folder_.path("")), std::string::npos) << "names the folder: " << *reason;
}

TEST_P(ReadinessTest, AFolderThatIsGoneIsAReason) {
  ReadinessParts given = parts();
  given.data_folder = folder_.path("gone");
  const auto reason = Readiness(given).why_not();
  ASSERT_TRUE(reason.has_value());
  EXPECT_NE(reason->find("cannot be reached"), std::string::npos) << *reason;
}

TEST_P(ReadinessTest, AStoreThatCannotBeWrittenIsAReason) {
  service_.queue = []() -> QueueFigures {
    throw Error(ErrorCode::kStoreError, "the database is locked", "wait");
  };
  EXPECT_EQ(Readiness(parts()).why_not(), "the store cannot be written: the database is locked");
}

TEST_P(ReadinessTest, AStoreThatDoesNotAnswerIsAReasonAndNobodyWaitsForIt) {
  // Somebody else holds the writer's lock.
  std::atomic<bool> held = false, let_go = false;
  std::thread writer([&] {
    database().write([&](Sql&) {
      held = true;
      while (!let_go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  });
  while (!held) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  {
    Readiness readiness(parts());
    const Stopwatch watch;
    EXPECT_EQ(readiness.why_not(), "the store does not answer");
    EXPECT_LT(watch.seconds(), 2);
    let_go = true;
  }
  writer.join();
  EXPECT_EQ(Readiness(parts()).why_not(), std::nullopt);
}

TEST_P(ReadinessTest, ManyWhoAskAreOneLookASecond) {
  std::atomic<int> looks = 0;
  service_.queue = [&] {
    ++looks;
    return QueueFigures();
  };
  Readiness readiness(parts());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(readiness.why_not(), std::nullopt);
  EXPECT_LE(looks, 2);
}

}  // namespace
}  // namespace snug
