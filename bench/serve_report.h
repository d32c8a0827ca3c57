// What serve_bench found, as tables, targets and a record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/record.h"
#include "bench/serve_latency.h"
#include "bench/serve_memory.h"
#include "bench/serve_overlap.h"
#include "bench/serve_throughput.h"

namespace snug::bench {

struct LatencyFound {
  OpenLoop load;
  std::vector<double> synced_writes;  // in the data folder, before the service ran
  HitTimes open;
  std::vector<ClosedTimes> closed;
};

// What was not measured is absent.
struct ServeFound {
  std::optional<LatencyFound> latency;
  std::optional<HitPairs> pairs;
  std::optional<ThroughputTimes> throughput;
  std::optional<OverlapTimes> overlap;
  std::optional<MemoryOverJobs> memory;
  std::optional<ListenersFound> listeners;
};

// What the project has set itself to reach.
std::vector<Target> serve_targets(const ServeFound& found);
// Tables, as Markdown or for a terminal, targets first.
std::string serve_report(const ServeFound& found, const std::vector<Target>& targets, bool markdown);
Record serve_record(const ServeFound& found, const std::vector<Target>& targets);

}  // namespace snug::bench
