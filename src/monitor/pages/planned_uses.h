// What usual requests would take on this machine, by planning them from its measured rates: one for each
// preset, of the default model and of the embedded one. The targets of the page benchmarks come from them.
//
// Planning takes tens of milliseconds for each, so plans are kept for kPlansKept and then made again; the
// configuration does not change while a process lives, but `snug calibrate` may.
// Threads: all methods may be called from any.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "jobs/service_options.h"

namespace snug {

inline constexpr std::chrono::minutes kPlansKept{10};

struct PlannedUse {
  std::string use;    // "draft", "standard", "high": a preset
  std::string model;  // by the name under which it is asked for
  int64_t width = 0, height = 0, steps = 0;
  std::string sampler;
  std::optional<double> planned_seconds;  // predicted, of all phases
  std::string problem;                    // why it cannot be planned; empty: it can
};

class UsePlanner {
 public:
  explicit UsePlanner(ServiceOptions options);
  ~UsePlanner();
  UsePlanner(const UsePlanner&) = delete;
  UsePlanner& operator=(const UsePlanner&) = delete;

  // Never throws an Error: what cannot be planned says why.
  std::vector<PlannedUse> uses();

 private:
  class Impl;
  std::mutex mutex_;
  ServiceOptions options_;      // guarded by mutex_, as all that follows
  std::unique_ptr<Impl> impl_;  // made when it is asked first: it opens models
  std::optional<std::vector<PlannedUse>> kept_;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace snug
