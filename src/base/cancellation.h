// A flag that asks work to stop. Set from any thread or from a signal handler; checked between kernels,
// between files and inside long loops.
#pragma once

#include <atomic>

#include "base/error.h"

namespace snug {

class Cancellation {
 public:
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  // For who keeps one for work after work, when none of it is under way.
  void withdraw() noexcept { requested_.store(false, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }
  // Throws cancelled when a stop was requested.
  void check() const {
    if (requested()) throw Error(ErrorCode::kCancelled, "stopped on request");
  }

 private:
  std::atomic<bool> requested_{false};
};

}  // namespace snug
