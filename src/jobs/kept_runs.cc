#include "jobs/kept_runs.h"

#include <algorithm>

namespace snug {

int64_t KeptRuns::bytes_of(const Slot& slot) {
  return slot.run.executor == nullptr ? 0 : static_cast<int64_t>(slot.run.fitted->run.plan.arena_bytes);
}

bool KeptRuns::in_use(const std::string& shape) const {
  const std::scoped_lock lock(mutex_);
  return std::any_of(slots_.begin(), slots_.end(),
                     [&](const Slot& slot) { return slot.in_use && slot.shape == shape; });
}

KeptRuns::Slot& KeptRuns::use(const std::string& shape) {
  const std::scoped_lock lock(mutex_);
  auto slot = std::find_if(slots_.begin(), slots_.end(),
                           [&](const Slot& other) { return !other.in_use && other.shape == shape; });
  if (slot != slots_.end()) {
    ++hits_;
  } else {
    ++misses_;
    slot = slots_.emplace(slots_.end());
    slot->shape = shape;
  }
  slot->in_use = true;
  slot->cancellation.withdraw();
  return *slot;
}

void KeptRuns::used(Slot& slot, double remake_seconds) {
  const std::scoped_lock lock(mutex_);
  slot.in_use = false;
  // What failed left nothing.
  if (slot.run.executor == nullptr) {
    slots_.remove_if([&](const Slot& other) { return &other == &slot; });
    return;
  }
  // A run that found everything there says nothing of what it took to make.
  slot.remake_seconds = std::max(slot.remake_seconds, remake_seconds);
  slot.used = std::chrono::steady_clock::now();
}

double KeptRuns::value(const Slot& slot) {
  const std::chrono::duration<double> idle = std::chrono::steady_clock::now() - slot.used;
  return slot.remake_seconds / static_cast<double>(std::max<int64_t>(1, bytes_of(slot))) / (1 + idle.count());
}

void KeptRuns::shrink(int64_t bytes) {
  const std::scoped_lock lock(mutex_);
  while (spare_bytes() > bytes) {
    const auto least = std::min_element(slots_.begin(), slots_.end(), [](const Slot& a, const Slot& b) {
      return a.in_use != b.in_use ? b.in_use : !a.in_use && value(a) < value(b);
    });
    ++evictions_;
    slots_.erase(least);
  }
}

int64_t KeptRuns::spare_bytes() const {
  int64_t bytes = 0;
  for (const Slot& slot : slots_) bytes += slot.in_use ? 0 : bytes_of(slot);
  return bytes;
}

CacheFigures KeptRuns::figures() const {
  CacheFigures figures;
  figures.kind = "models";
  const std::scoped_lock lock(mutex_);
  figures.bytes = spare_bytes();
  figures.entries =
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.in_use; });
  figures.hits = hits_;
  figures.misses = misses_;
  figures.evictions = evictions_;
  return figures;
}

}  // namespace snug
