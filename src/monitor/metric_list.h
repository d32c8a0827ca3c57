// What /metrics shows: the one list of names, kinds, units and meanings. run_metrics.cc and metrics.cc make
// their families from it, docs/metrics.md holds it as a table (a test compares).
//
// To add a metric: a member of Metric, a row in metric_list.cc at the same place, a line where it is counted.
// Labels take few values that Snug itself chooses: no ids, prompts, owners, paths or texts of errors.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace snug {

enum class Metric : uint8_t {
  kBuildInfo,
  kStartTime,
  kJobs,
  kJobsEnded,
  kJobsFailed,
  kPredictedWait,
  kJobWait,
  kJobSeconds,
  kRunSeconds,
  kRunPictures,
  kStageSeconds,
  kStepSeconds,
  kPlanSecondsRatio,
  kPlanPeakRatio,
  kReadBytes,
  kWrittenBytes,
  kMemoryBytes,
  kMemoryPeak,
  kMemoryReserved,
  kMemoryBudget,
  kDiskFree,
  kCacheEntries,
  kCacheBytes,
  kCacheLimit,
  kCacheHits,
  kCacheMisses,
  kCacheEvictions,
  kBottlenecks,
  kAlerts,
  kMachineCpu,
  kMachinePressure,
  kMachineMemory,
  kMachineDisk,
  kMachineDiskBusy,
  kMachineFlow,
  kMachineTemperature,
  kMachineFrequency,
  kThermalThrottles,
  kProcessFaults,
  kProcessThreads,
  kProcessOpenFiles,
  kProcessThrottled,
  kGpuUtilization,
  kGpuMemory,
  kGpuPower,
  kGpuTemperature,
  kGpuClock,
  kSampleSeconds,
  kSampleJitter,
  kSampleAge,
  kHttpRequests,
  kHttpSeconds,
  kScrapeFailures,
  kFiguresAge,
};

enum class MetricKind : uint8_t { kCounter, kGauge, kHistogram };
// "counter", "gauge", "histogram".
std::string_view metric_kind_name(MetricKind kind);

struct MetricInfo {
  Metric metric;
  std::string_view name;
  MetricKind kind;
  std::string_view unit;    // "seconds", "bytes", "1": a number or a ratio
  std::string_view basis;   // "measured", "predicted", "configured"
  std::string_view labels;  // separated by a space; empty: none
  std::string_view meaning;
  std::span<const double> buckets = {};  // upper bounds, of a histogram
};

// In the order of Metric.
std::span<const MetricInfo> metric_list();
const MetricInfo& metric_info(Metric metric);
// "measured, seconds: ..."; what stands behind # HELP.
std::string metric_help(const MetricInfo& info);
// The list as a Markdown table, for docs/metrics.md.
std::string describe_metrics();

}  // namespace snug
