#include "jobs/kept_runs.h"

#include <algorithm>

namespace snug {

int64_t KeptRuns::bytes_of(const Slot& slot) {
  return slot.run.executor == nullptr ? 0 : static_cast<int64_t>(slot.run.fitted->run.plan.arena_bytes);
}

KeptRun& KeptRuns::use(const std::string& shape) {
  const std::scoped_lock lock(mutex_);
  // What failed left nothing.
  slots_.remove_if([&](const Slot& slot) { return slot.run.executor == nullptr; });
  const auto found =
      std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.shape == shape; });
  if (found != slots_.end()) {
    ++hits_;
    slots_.splice(slots_.begin(), slots_, found);
  } else {
    ++misses_;
    slots_.emplace_front().shape = shape;
  }
  in_use_ = true;
  return slots_.front().run;
}

void KeptRuns::used(double remake_seconds) {
  const std::scoped_lock lock(mutex_);
  in_use_ = false;
  Slot& slot = slots_.front();
  // A run that found everything there says nothing of what it took to make.
  slot.remake_seconds = std::max(slot.remake_seconds, remake_seconds);
  slot.used = std::chrono::steady_clock::now();
}

double KeptRuns::value(const Slot& slot) const {
  const std::chrono::duration<double> idle = std::chrono::steady_clock::now() - slot.used;
  return slot.remake_seconds / static_cast<double>(std::max<int64_t>(1, bytes_of(slot))) / (1 + idle.count());
}

void KeptRuns::shrink(int64_t bytes) {
  while (spare_bytes() > bytes) {
    const std::scoped_lock lock(mutex_);
    const auto least = std::min_element(in_use_ ? std::next(slots_.begin()) : slots_.begin(), slots_.end(),
                                        [&](const Slot& a, const Slot& b) { return value(a) < value(b); });
    ++evictions_;
    slots_.erase(least);
  }
}

int64_t KeptRuns::spare_bytes() const {
  const std::scoped_lock lock(mutex_);
  int64_t bytes = 0;
  for (auto slot = slots_.begin(); slot != slots_.end(); ++slot) {
    if (!in_use_ || slot != slots_.begin()) bytes += bytes_of(*slot);
  }
  return bytes;
}

void KeptRuns::drop_all() { shrink(0); }

CacheFigures KeptRuns::figures() const {
  CacheFigures figures;
  figures.kind = "models";
  figures.bytes = spare_bytes();
  const std::scoped_lock lock(mutex_);
  figures.entries = static_cast<int64_t>(slots_.size()) - (in_use_ ? 1 : 0);
  figures.hits = hits_;
  figures.misses = misses_;
  figures.evictions = evictions_;
  return figures;
}

}  // namespace snug
