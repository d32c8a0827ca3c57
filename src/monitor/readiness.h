// Whether a job that came now would be taken, and why not: for /api/v1/ready, by which load balancers and
// systemd's friends send work elsewhere. Made by `snug serve`.
//
// Looks at most once a second, and waits at most kReadyPatience for the store: one that does not answer is
// itself the reason. Threads: all methods may be called from any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "jobs/database.h"
#include "jobs/service.h"
#include "monitor/timely_answer.h"

namespace snug {

inline constexpr std::chrono::milliseconds kReadyPatience{250};

struct ReadinessParts {
  Service& service;
  Database& database;
  std::string data_folder;
  uint64_t least_free_bytes = 0;  // of disk for the data folder
  int64_t most_queued = 0;        // jobs
};

class Readiness {
 public:
  explicit Readiness(const ReadinessParts& parts);

  // Nothing: a job would be taken. Never throws an Error, names no path.
  std::optional<std::string> why_not();
  // The service is about to end.
  void stopping() { stopping_ = true; }

 private:
  std::atomic<bool> stopping_ = false;
  // What the last look found; an empty text is nothing.
  TimelyAnswer<std::string> look_;
};

}  // namespace snug
