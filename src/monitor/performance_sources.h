// Makes what the performance pages rest on, and keeps it: planned uses, samples and their history, alerts,
// findings, trends. One for a process: `snug serve` makes it with its service and its watch, the commands
// without them. performance.h says what each source is.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "jobs/database.h"
#include "jobs/service_options.h"
#include "monitor/alerts/alert_store.h"
#include "monitor/alerts/alerts.h"
#include "monitor/pages/planned_uses.h"
#include "monitor/performance.h"
#include "monitor/samples/sample_store.h"
#include "monitor/samples/sampler.h"

namespace snug {

class Service;

struct OwnSourcesParts {
  Database& database;
  ServiceOptions options;
  Service* service = nullptr;         // null: the jobs are another process's
  MachineSampler* sampler = nullptr;  // null: nothing samples here
  Alerts* alerts = nullptr;           // null: as the service's process left them in the database
};

// Everything in `parts` must outlive it, and it what sources() returns.
class OwnSources {
 public:
  explicit OwnSources(OwnSourcesParts parts);
  OwnSources(const OwnSources&) = delete;
  OwnSources& operator=(const OwnSources&) = delete;

  PerformanceSources sources();

 private:
  ResourceReading reading() const;
  nlohmann::ordered_json history(int64_t from_ms, int64_t to_ms, int64_t most_points);
  // Nothing: nobody has watched lately, so what the database says is of the past.
  std::optional<std::vector<ActiveAlert>> active_alerts();
  std::vector<AlertEvent> alert_events();

  OwnSourcesParts parts_;
  UsePlanner uses_;
  SampleStore samples_;
  AlertStore alerts_;
};

}  // namespace snug
