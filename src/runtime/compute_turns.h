// Several runs at once on one machine: which of them computes now. One at a time has all the cores, and of
// those that want them the oldest. So the oldest is hardly slower than alone, and a younger one gets on while
// it plans, waits for weights or writes its picture.
//
// Owned by who starts runs (jobs/engine.cc); the executor takes and gives. Turns change between two kernels.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <set>

#include "base/cancellation.h"

namespace snug {

// Threads: all methods may be called from any.
class ComputeTurns {
 public:
  // Waits until nobody computes and no run with a smaller order waits. Throws cancelled, soon after that was
  // asked for.
  void enter(int64_t order, const Cancellation& cancellation);
  void leave();
  // Whether a run with a smaller order waits.
  bool awaited_before(int64_t order) const { return oldest_waiting_.load() < order; }

  // Runs that are under way: each turn joins when it is made and parts when it goes.
  void join(int64_t order);
  void part(int64_t order);
  bool has_others() const;
  bool has_older(int64_t order) const;
  int64_t joined() const { return joined_; }  // ever

 private:
  static constexpr int64_t kNobody = std::numeric_limits<int64_t>::max();
  void note_oldest() { oldest_waiting_ = waiting_.empty() ? kNobody : *waiting_.begin(); }

  mutable std::mutex mutex_;  // of the next four
  std::condition_variable changed_;
  bool taken_ = false;
  std::set<int64_t> waiting_, members_;  // by order, each once
  std::atomic<int64_t> oldest_waiting_ = kNobody;
  std::atomic<int64_t> joined_ = 0;
};

// One run's place in the order, which no other run has. Used by that run's thread alone.
class ComputeTurn {
 public:
  // Both outlive it. Smaller orders go first.
  ComputeTurn(ComputeTurns& turns, int64_t order, const Cancellation& cancellation);
  ~ComputeTurn();
  ComputeTurn(const ComputeTurn&) = delete;
  ComputeTurn& operator=(const ComputeTurn&) = delete;

  // Before a piece of work. Who has the turn keeps it, unless an older run waits. Returns the seconds that it
  // waited. Throws cancelled.
  double take();
  void give();
  // Before something else that may take long: an older run that comes then need not wait for it.
  void give_to_older() {
    if (turns_.has_older(order_)) give();
  }
  // All that take() waited.
  double waited_seconds() const { return waited_seconds_; }
  // Whether no other run has been under way since this one began: what was measured of the process is its
  // own.
  bool was_alone() const { return began_alone_ && turns_.joined() == joined_; }

 private:
  ComputeTurns& turns_;
  const int64_t order_;
  const Cancellation& cancellation_;
  bool held_ = false;
  double waited_seconds_ = 0;
  bool began_alone_ = false;
  int64_t joined_ = 0;  // by when this one had
};

}  // namespace snug
