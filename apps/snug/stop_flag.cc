#include "apps/snug/stop_flag.h"

#include <csignal>

namespace snug::cli {
namespace {

// A signal handler can reach nothing else; its one store is lock-free.
Cancellation& flag() {
  static Cancellation cancellation;
  return cancellation;
}

void request(int) { flag().request(); }

void handle(void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

StopFlag::StopFlag() {
  flag().withdraw();
  handle(request, static_cast<int>(SA_RESETHAND) | SA_RESTART);
}
StopFlag::~StopFlag() { handle(SIG_DFL, 0); }
const Cancellation& StopFlag::cancellation() const { return flag(); }

}  // namespace snug::cli
