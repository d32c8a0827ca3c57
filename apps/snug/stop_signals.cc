#include "apps/snug/stop_signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/error.h"

namespace snug::cli {
namespace {

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

enum class Event { kSignal, kClosing, kTimeout };

// Waits for a signal, for the end of watching, or for `timeout_ms` (-1: for ever).
Event wait(int signals, int closing, int timeout_ms) {
  std::array<pollfd, 2> polled = {pollfd{signals, POLLIN, 0}, pollfd{closing, POLLIN, 0}};
  int ready = 0;
  do {
    ready = ::poll(polled.data(), polled.size(), timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return Event::kTimeout;
  if ((polled[1].revents & POLLIN) != 0) return Event::kClosing;
  signalfd_siginfo info = {};
  static_cast<void>(::read(signals, &info, sizeof info));
  return Event::kSignal;
}

}  // namespace

StopSignals::StopSignals(Cancellation& cancellation, std::function<void()> last_words)
    : cancellation_(cancellation), last_words_(std::move(last_words)) {
  const sigset_t set = watched();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  closing_ = ::eventfd(0, EFD_CLOEXEC);
  if (signals_ < 0 || closing_ < 0) {
    throw Error(ErrorCode::kIoError, "the system refused a file descriptor", "close other programs");
  }
  watcher_ = std::thread([this] { watch(); });
}

StopSignals::~StopSignals() {
  const uint64_t one = 1;
  static_cast<void>(::write(closing_, &one, sizeof one));
  watcher_.join();
  ::close(closing_);
  ::close(signals_);
  const sigset_t set = watched();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void StopSignals::run_ended() {
  const std::lock_guard lock(ending_);
  run_ended_ = true;
}

void StopSignals::watch() {
  if (wait(signals_, closing_, -1) == Event::kClosing) return;
  cancellation_.request();
  // The grace is over, or a second signal has come.
  if (wait(signals_, closing_, kGraceMs) == Event::kClosing) return;
  end_process();
  // The run had ended just then and its result is being told.
  if (wait(signals_, closing_, -1) == Event::kSignal) ::_exit(error_info(ErrorCode::kCancelled).exit_code);
}

void StopSignals::end_process() {
  const std::lock_guard lock(ending_);
  if (run_ended_) return;
  last_words_();
  // Not exit: destructors would free under the feet of the threads that still compute.
  ::_exit(error_info(ErrorCode::kCancelled).exit_code);
}

}  // namespace snug::cli
