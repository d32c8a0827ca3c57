// Makes what the performance pages rest on, and keeps it: planned uses, samples, analysis, alerts, advice.
// One for a process: `snug serve` makes it with its service, the commands without one. performance.h says
// what each source is.
#pragma once

#include <string>

#include "jobs/database.h"
#include "jobs/service_options.h"
#include "monitor/pages/planned_uses.h"
#include "monitor/performance.h"

namespace snug {

class Service;

struct OwnSourcesParts {
  Database& database;
  ServiceOptions options;
  Service* service = nullptr;  // null: the jobs are another process's
};

// Everything in `parts` must outlive it, and it what sources() returns.
class OwnSources {
 public:
  explicit OwnSources(OwnSourcesParts parts);
  PerformanceSources sources();

 private:
  OwnSourcesParts parts_;
  UsePlanner uses_;
};

}  // namespace snug
