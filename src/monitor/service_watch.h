// Watches the machine while a service runs: takes samples, keeps their history, raises alerts, measures each
// run beside the machine, and has every job that ended analysed. Made by `snug serve` before its service, to
// which it is the observer of runs; what it gathers is shown by performance_sources.h.
//
// Threads: all methods may be called from any. The destructor stops all of its threads; the service is gone
// by then. Making it throws what MachineSampler, SampleStore and Alerts do.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/database.h"
#include "jobs/run_observer.h"
#include "monitor/alerts/alerts.h"
#include "monitor/metric_figure.h"
#include "monitor/samples/sampler.h"

namespace snug {

struct WatchOptions {
  std::chrono::milliseconds interval{5000};  // between samples
  int64_t keep_samples_days = 400;
  std::vector<std::string> alerts;  // as the setting of that name
  std::string alert_webhook;        // empty: none
  std::string data_folder;          // whose disk is watched
};

class ServiceWatch final : public RunObserver {
 public:
  // `next` is told of runs as well. Both references outlive it.
  ServiceWatch(Database& database, const WatchOptions& options, RunObserver& next);
  ~ServiceWatch() override;
  ServiceWatch(const ServiceWatch&) = delete;
  ServiceWatch& operator=(const ServiceWatch&) = delete;

  int64_t run_began() noexcept override;
  std::optional<MachineUse> run_ended(int64_t run, const RunReport& report) noexcept override;
  // Of any kind: it can be analysed.
  void job_ended() noexcept;

  MachineSampler& sampler();
  Alerts& alerts();
  // For /metrics (metrics.h); must not outlive this.
  MetricSources metric_sources();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace snug
