// What `./dev bench observe` found, as tables, targets and a record. Called by observe_bench.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/observe_advice.h"
#include "bench/observe_parts.h"
#include "bench/record.h"
#include "bench/target.h"

namespace snug::bench {

struct ObserveFound {
  std::optional<MonitoringCost> cost;
  std::optional<HistoryTimes> history;
  std::optional<SampleMemory> samples;
  std::optional<std::vector<AdviceTrial>> advice;
};

std::vector<Target> observe_targets(const ObserveFound& found);
std::string observe_report(const ObserveFound& found, const std::vector<Target>& targets, bool markdown);
Record observe_record(const ObserveFound& found, const std::vector<Target>& targets);

}  // namespace snug::bench
