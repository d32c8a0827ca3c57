// The pages of the performance API over a database that a command opens itself: the same figures as the API
// of a running service gives, but for what only that service's process knows. For the commands status,
// history, report and monitor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

#include "base/configuration.h"
#include "jobs/database.h"
#include "monitor/performance.h"
#include "monitor/performance_sources.h"

namespace snug::cli {

class PerformancePages {
 public:
  // With `samples`, takes samples of the machine here, and waits for the first, half a second at most. Throws
  // what opening the database throws.
  explicit PerformancePages(const Configuration& configuration, bool samples = false);
  const Performance& performance() const { return performance_; }

 private:
  std::unique_ptr<Database> database_;
  std::unique_ptr<MachineSampler> sampler_;  // null: none
  OwnSources sources_;
  Performance performance_;
};

// --hours.
void add_window_option(CLI::App& app, int64_t& hours);
// As one line; bytes that are no UTF-8 become U+FFFD.
std::string page_text(const nlohmann::ordered_json& page);

}  // namespace snug::cli
