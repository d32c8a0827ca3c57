// Counts what happens, as it happens: runs, jobs that end, HTTP requests. Made by `snug serve` before the
// service and the server, which tell it; metrics.h shows it.
//
// Threads: all methods may be called from any; none blocks for longer than a lock over a few numbers.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

#include "jobs/job.h"
#include "jobs/run_observer.h"

namespace snug {

class RunMetrics final : public RunObserver {
 public:
  RunMetrics();
  ~RunMetrics() override;
  RunMetrics(const RunMetrics&) = delete;
  RunMetrics& operator=(const RunMetrics&) = delete;

  // Measures nothing of the machine.
  std::optional<MachineUse> run_ended(int64_t run, const RunReport& report) noexcept override;
  // Of a job that has ended; a job of which that was told lately is not counted twice.
  void job_ended(const Job& job) noexcept;
  // `route`: the pattern, as in "/api/v1/jobs/{id}"; "-" where there is none.
  void request_ended(std::string_view route, int status, double seconds) noexcept;
  // A scrape did without fresh figures of `source`, a word of Snug's own.
  void scrape_failed(std::string_view source) noexcept;

  std::vector<prometheus::MetricFamily> collect() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Which API a route belongs to: "native", "openai", "a1111", "comfyui", "page", "monitor", or "none" for
// requests that no route took.
std::string_view api_of_route(std::string_view route);

}  // namespace snug
