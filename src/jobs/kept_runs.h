// Loaded plans of shapes that came lately, for when they come again. What goes first when memory is needed is
// what costs least to make again, byte for byte, and has been idle longest. Called by the engine's thread;
// figures() by any.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>

#include "jobs/service.h"
#include "pipeline/kept_run.h"

namespace snug {

class KeptRuns {
 public:
  // The run of that shape, or an empty one; it is in use until the next call.
  KeptRun& use(const std::string& shape);
  // After a run with what use() gave: what making it again would take.
  void used(double remake_seconds);
  // Drops what is not in use until the others hold at most `bytes`.
  void shrink(int64_t bytes);
  // Of all arenas but the one in use.
  int64_t spare_bytes() const;
  void drop_all();

  CacheFigures figures() const;  // without its limit

 private:
  struct Slot {
    std::string shape;
    KeptRun run;
    double remake_seconds = 0;  // measured
    std::chrono::steady_clock::time_point used;
  };
  static int64_t bytes_of(const Slot& slot);
  double value(const Slot& slot) const;

  mutable std::mutex mutex_;  // of all below, but for the run in use
  std::list<Slot> slots_;     // the one in use first
  bool in_use_ = false;
  int64_t hits_ = 0, misses_ = 0, evictions_ = 0;
};

}  // namespace snug
