// The text of /metrics, in Prometheus's format 0.0.4: what RunMetrics counted, and what the store, the
// caches, the process and the disk say now. Made by `snug serve` beside the service.
//
// A scrape waits for the store at most kScrapePatience: when it does not answer by then the last figures are
// shown, with their age, and snug_scrape_failures_total counts it. What has never been known is absent.
//
// Threads: text() may be called from any. The service, its database and the counts outlive it.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "jobs/database.h"
#include "jobs/service.h"
#include "monitor/metric_figure.h"
#include "monitor/run_metrics.h"

namespace snug {

inline constexpr std::chrono::milliseconds kScrapePatience{40};

class Metrics {
 public:
  // Listens to the service's events from here on. `data_folder`: on whose file system free space is shown.
  // `sources` are asked at each scrape, while this object lives.
  Metrics(RunMetrics& counts, Service& service, Database& database, std::string data_folder,
          MetricSources sources = {});
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Never throws an Error.
  std::string text();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace snug
