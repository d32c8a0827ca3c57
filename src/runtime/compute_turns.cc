#include "runtime/compute_turns.h"

#include <chrono>

#include "base/error.h"
#include "base/stopwatch.h"

namespace snug {
namespace {

// A cancellation wakes nobody.
constexpr std::chrono::milliseconds kLookForCancellation{20};

}  // namespace

void ComputeTurns::enter(int64_t order, const Cancellation& cancellation) {
  std::unique_lock lock(mutex_);
  waiting_.insert(order);
  note_oldest();
  while (taken_ || *waiting_.begin() != order) {
    if (cancellation.requested()) break;
    changed_.wait_for(lock, kLookForCancellation);
  }
  waiting_.erase(order);
  note_oldest();
  if (cancellation.requested()) {
    changed_.notify_all();  // it may have been the oldest
    cancellation.check();
  }
  taken_ = true;
}

void ComputeTurns::leave() {
  const std::scoped_lock lock(mutex_);
  taken_ = false;
  changed_.notify_all();
}

void ComputeTurns::join(int64_t order) {
  const std::scoped_lock lock(mutex_);
  members_.insert(order);
  ++joined_;
}

void ComputeTurns::part(int64_t order) {
  const std::scoped_lock lock(mutex_);
  members_.erase(order);
}

bool ComputeTurns::has_others() const {
  const std::scoped_lock lock(mutex_);
  return members_.size() > 1;
}

bool ComputeTurns::has_older(int64_t order) const {
  const std::scoped_lock lock(mutex_);
  return !members_.empty() && *members_.begin() < order;
}

ComputeTurn::ComputeTurn(ComputeTurns& turns, int64_t order, const Cancellation& cancellation)
    : turns_(turns), order_(order), cancellation_(cancellation) {
  turns_.join(order);
  joined_ = turns_.joined();
  began_alone_ = !turns_.has_others();
}

ComputeTurn::~ComputeTurn() {
  give();
  turns_.part(order_);
}

double ComputeTurn::take() {
  if (held_ && !turns_.awaited_before(order_)) return 0;
  give();
  const Stopwatch watch;
  try {
    turns_.enter(order_, cancellation_);
  } catch (const Error&) {
    waited_seconds_ += watch.seconds();
    throw;
  }
  held_ = true;
  const double seconds = watch.seconds();
  waited_seconds_ += seconds;
  return seconds;
}

void ComputeTurn::give() {
  if (!held_) return;
  turns_.leave();
  held_ = false;
}

}  // namespace snug
