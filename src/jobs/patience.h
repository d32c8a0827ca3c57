// Waiting for what is expected to come right: a database that is locked, a disk that is full. Called by the
// engine and its parts, which all end by one signal.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>

#include "base/log.h"

namespace snug {

// Asked for once, from any thread.
class StopSignal {
 public:
  void request() {
    const std::scoped_lock lock(mutex_);
    requested_ = true;
    changed_.notify_all();
  }
  bool requested() const {
    const std::scoped_lock lock(mutex_);
    return requested_;
  }
  // Waits that long, or until it is requested: then true.
  bool wait_for(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [&] { return requested_; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool requested_ = false;
};

// Does `work` until it succeeds. False when the stop comes first.
template <typename Work>
bool persist(StopSignal& stop, const char* what, const Work& work) {
  using std::chrono::milliseconds;
  constexpr milliseconds kFirstWait{200}, kLongestWait{5000};
  for (milliseconds wait = kFirstWait;; wait = std::min(2 * wait, kLongestWait)) {
    try {
      work();
      return true;
    } catch (const std::exception& error) {
      log::warn("{} failed, to be tried again: {}", what, error.what());
    }
    if (stop.wait_for(wait)) return false;
  }
}

}  // namespace snug
