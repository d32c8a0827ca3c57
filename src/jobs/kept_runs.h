// Loaded plans of shapes that came lately, for when they come again. What goes first when memory is needed is
// what costs least to make again, byte for byte, and has been idle longest. Called by the engine.
//
// Threads: all methods may be called from any; a slot that is in use belongs to the run that uses it.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>

#include "base/cancellation.h"
#include "jobs/service.h"
#include "pipeline/kept_run.h"

namespace snug {

class KeptRuns {
 public:
  struct Slot {
    std::string shape;
    Cancellation cancellation;  // of each run that uses it; before the run, which looks at it
    KeptRun run;
    bool in_use = false;
    double remake_seconds = 0;  // measured
    std::chrono::steady_clock::time_point used;
  };

  // Whether a run of that shape uses what is kept for it now.
  bool in_use(const std::string& shape) const;
  // A run of that shape that is not in use, or an empty one. It is in use until used().
  Slot& use(const std::string& shape);
  // After a run with what use() gave: what making it again would take.
  void used(Slot& slot, double remake_seconds);
  // Drops what is not in use until it holds at most `bytes`.
  void shrink(int64_t bytes);
  void drop_all() { shrink(0); }

  CacheFigures figures() const;  // of what is not in use, without its limit

 private:
  static int64_t bytes_of(const Slot& slot);
  static double value(const Slot& slot);
  int64_t spare_bytes() const;  // with mutex_ held

  mutable std::mutex mutex_;  // of all below, but for the runs in use
  std::list<Slot> slots_;
  int64_t hits_ = 0, misses_ = 0, evictions_ = 0;
};

}  // namespace snug
