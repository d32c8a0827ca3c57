#include "monitor/metric_list.h"

#include <array>

#include <fmt/format.h>

#include "base/check.h"

namespace snug {
namespace {

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;
constexpr auto kHistogram = MetricKind::kHistogram;

// From a picture of the embedded model to one of a large model on few cores.
constexpr std::array kWorkSeconds = {0.005, 0.01, 0.025, 0.05, 0.1,   0.25,  0.5,   1.0,   2.5,
                                     5.0,   10.0, 30.0,  60.0, 120.0, 300.0, 600.0, 1800.0};
// A cache hit takes part of a millisecond; a request that waits for its picture takes as long as that.
constexpr std::array kAnswerSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                       0.25,  0.5,    1.0,   2.5,  10.0,  60.0, 300.0};
constexpr std::array kRatios = {0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3, 1.5, 2.0, 4.0};
constexpr std::array kPictures = {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0};

constexpr std::array kMetrics = {
    MetricInfo{Metric::kBuildInfo, "snug_build_info", kGauge, "1", "configured", "version",
               "always 1; the version is a label"},
    MetricInfo{Metric::kStartTime, "snug_start_time_seconds", kGauge, "seconds", "measured", "",
               "when the service started, since 1970, UTC"},
    MetricInfo{Metric::kJobs, "snug_jobs", kGauge, "1", "measured", "state", "jobs in the store now"},
    MetricInfo{Metric::kJobsEnded, "snug_jobs_ended_total", kCounter, "1", "measured", "state api",
               "jobs that ended since the start; those answered from the cache are done"},
    MetricInfo{Metric::kJobsFailed, "snug_jobs_failed_total", kCounter, "1", "measured", "code",
               "jobs that failed for good since the start, by the error's word"},
    MetricInfo{Metric::kPredictedWait, "snug_queue_predicted_wait_seconds", kGauge, "seconds", "predicted",
               "", "until a job that came now would begin; absent while a job ahead has no prediction"},
    MetricInfo{Metric::kJobWait, "snug_job_wait_seconds", kHistogram, "seconds", "measured", "",
               "from a job's acceptance to its first beginning", kWorkSeconds},
    MetricInfo{Metric::kJobSeconds, "snug_job_seconds", kHistogram, "seconds", "measured", "",
               "from a job's acceptance to its pictures; of jobs that were not in the cache", kWorkSeconds},
    MetricInfo{
        Metric::kRunSeconds, "snug_run_seconds", kHistogram, "seconds", "measured", "",
        "a run of one or more jobs, with its planning and loading, and with waiting while other runs compute",
        kWorkSeconds},
    MetricInfo{Metric::kRunPictures, "snug_run_pictures", kHistogram, "1", "measured", "",
               "pictures of a run; the sum is how many were made", kPictures},
    MetricInfo{Metric::kStageSeconds, "snug_stage_seconds", kHistogram, "seconds", "measured", "stage",
               "each stage of a run; opening the model is part of load", kWorkSeconds},
    MetricInfo{Metric::kStepSeconds, "snug_step_seconds", kHistogram, "seconds", "measured", "",
               "each step of denoising, of the whole batch", kWorkSeconds},
    MetricInfo{Metric::kPlanSecondsRatio, "snug_plan_seconds_ratio", kHistogram, "1", "measured", "",
               "the plan's error: a run's measured seconds in its phases, divided by the predicted ones",
               kRatios},
    MetricInfo{
        Metric::kPlanPeakRatio, "snug_plan_peak_bytes_ratio", kHistogram, "1", "measured", "",
        "the plan's error: the process's measured peak, divided by the planned one; of runs that could "
        "begin a new peak",
        kRatios},
    MetricInfo{Metric::kReadBytes, "snug_weights_read_bytes_total", kCounter, "bytes", "measured", "",
               "weights read from files by runs that ended"},
    MetricInfo{Metric::kWrittenBytes, "snug_pictures_written_bytes_total", kCounter, "bytes", "measured", "",
               "finished pictures, as files"},
    MetricInfo{Metric::kMemoryBytes, "snug_memory_bytes", kGauge, "bytes", "measured", "kind",
               "memory now: process is what is resident; kept_models and conditioning are parts of it"},
    MetricInfo{Metric::kMemoryPeak, "snug_memory_peak_bytes", kGauge, "bytes", "measured", "",
               "most that was resident since the last run began"},
    MetricInfo{Metric::kMemoryReserved, "snug_memory_reserved_bytes", kGauge, "bytes", "predicted", "",
               "planned peaks of the jobs that are planned or running"},
    MetricInfo{Metric::kMemoryBudget, "snug_memory_budget_bytes", kGauge, "bytes", "configured", "",
               "most that the process may hold; what was free at the start where none is configured"},
    MetricInfo{Metric::kDiskFree, "snug_disk_free_bytes", kGauge, "bytes", "measured", "",
               "free for the service on the file system of its data folder"},
    MetricInfo{Metric::kCacheEntries, "snug_cache_entries", kGauge, "1", "measured", "cache",
               "entries now; results are on disk, the other caches in memory"},
    MetricInfo{Metric::kCacheBytes, "snug_cache_bytes", kGauge, "bytes", "measured", "cache",
               "bytes of the entries"},
    MetricInfo{Metric::kCacheLimit, "snug_cache_limit_bytes", kGauge, "bytes", "configured", "cache",
               "most bytes that a cache keeps"},
    MetricInfo{Metric::kCacheHits, "snug_cache_hits_total", kCounter, "1", "measured", "cache",
               "requests that found what they asked for; of results since the store was made"},
    MetricInfo{Metric::kCacheMisses, "snug_cache_misses_total", kCounter, "1", "measured", "cache",
               "requests that did not, counted likewise"},
    MetricInfo{Metric::kCacheEvictions, "snug_cache_evictions_total", kCounter, "1", "measured", "cache",
               "entries that went for room or age, counted likewise"},
    MetricInfo{Metric::kBottlenecks, "snug_bottlenecks", kGauge, "1", "measured", "kind severity",
               "findings about what bound the runs of the last 24 hours"},
    MetricInfo{Metric::kAlerts, "snug_alerts_firing", kGauge, "1", "measured", "kind level",
               "1 while a figure is past its threshold, else 0"},
    MetricInfo{Metric::kMachineCpu, "snug_machine_cpu_ratio", kGauge, "1", "measured", "part",
               "time of all cores since the last sample; 1 is every core busy"},
    MetricInfo{Metric::kMachinePressure, "snug_machine_pressure_ratio", kGauge, "1", "measured", "resource",
               "time in which some task waited for it, by the kernel"},
    MetricInfo{Metric::kMachineMemory, "snug_machine_memory_bytes", kGauge, "bytes", "measured", "kind",
               "the machine's memory and swap, and the tightest control group's part and limit"},
    MetricInfo{Metric::kMachineDisk, "snug_machine_disk_bytes", kGauge, "bytes", "measured", "kind",
               "the data folder's disk at the last sample"},
    MetricInfo{Metric::kMachineDiskBusy, "snug_machine_disk_busy_ratio", kGauge, "1", "measured", "",
               "time in which that disk had something to do"},
    MetricInfo{
        Metric::kMachineFlow, "snug_machine_flow_bytes_per_second", kGauge, "bytes", "measured", "flow",
        "bytes a second since the last sample, of that disk, swap, the network, and this process's disks"},
    MetricInfo{Metric::kMachineTemperature, "snug_machine_temperature_celsius", kGauge, "celsius", "measured",
               "", "the hottest of the machine's sensors, disks and network cards aside"},
    MetricInfo{Metric::kMachineFrequency, "snug_machine_frequency_hertz", kGauge, "hertz", "measured", "kind",
               "mean of the cores: now, and the limit that they may reach"},
    MetricInfo{Metric::kThermalThrottles, "snug_machine_thermal_throttles_per_second", kGauge, "1",
               "measured", "", "times that a core slowed down as it was too hot"},
    MetricInfo{Metric::kProcessFaults, "snug_process_faults_per_second", kGauge, "1", "measured", "kind",
               "pages that this process got: minor without reading, major from a disk"},
    MetricInfo{Metric::kProcessThreads, "snug_process_threads", kGauge, "1", "measured", "",
               "threads of this process"},
    MetricInfo{Metric::kProcessOpenFiles, "snug_process_open_files", kGauge, "1", "measured", "",
               "file descriptors of this process"},
    MetricInfo{Metric::kProcessThrottled, "snug_process_throttled_ratio", kGauge, "1", "measured", "",
               "time that a quota held back the control group, added over cores"},
    MetricInfo{Metric::kGpuUtilization, "snug_gpu_utilization_ratio", kGauge, "1", "measured", "gpu",
               "time in which a kernel ran on the card"},
    MetricInfo{Metric::kGpuMemory, "snug_gpu_memory_bytes", kGauge, "bytes", "measured", "gpu kind",
               "memory of the card; other is what other processes hold of what is used"},
    MetricInfo{Metric::kGpuPower, "snug_gpu_power_watts", kGauge, "watts", "measured", "gpu",
               "what the card takes"},
    MetricInfo{Metric::kGpuTemperature, "snug_gpu_temperature_celsius", kGauge, "celsius", "measured", "gpu",
               "of the card"},
    MetricInfo{Metric::kGpuClock, "snug_gpu_clock_hertz", kGauge, "hertz", "measured", "gpu kind",
               "clock of the multiprocessors: now, and the limit"},
    MetricInfo{Metric::kSampleSeconds, "snug_sample_seconds", kGauge, "seconds", "measured", "",
               "what taking the last sample of the machine took: the cost of watching"},
    MetricInfo{Metric::kSampleJitter, "snug_sample_jitter_seconds", kGauge, "seconds", "measured", "",
               "how late it was begun"},
    MetricInfo{Metric::kSampleAge, "snug_sample_age_seconds", kGauge, "seconds", "measured", "",
               "how old the figures of machine, process and gpu above are"},
    MetricInfo{Metric::kHttpRequests, "snug_http_requests_total", kCounter, "1", "measured", "api status",
               "answered requests, by the API they spoke and the status"},
    MetricInfo{Metric::kHttpSeconds, "snug_http_request_seconds", kHistogram, "seconds", "measured", "api",
               "from a request's header to its answer's last byte; streams are as long as they were open",
               kAnswerSeconds},
    MetricInfo{Metric::kScrapeFailures, "snug_scrape_failures_total", kCounter, "1", "measured", "source",
               "times that this page showed old figures of a source, or none, as it did not answer"},
    MetricInfo{Metric::kFiguresAge, "snug_store_figures_age_seconds", kGauge, "seconds", "measured", "",
               "how old the figures of jobs, queue and caches above are; absent when there are none"},
};

}  // namespace

std::string_view metric_kind_name(MetricKind kind) {
  if (kind == MetricKind::kCounter) return "counter";
  return kind == MetricKind::kGauge ? "gauge" : "histogram";
}

std::span<const MetricInfo> metric_list() { return kMetrics; }

const MetricInfo& metric_info(Metric metric) {
  const MetricInfo& info = kMetrics.at(static_cast<size_t>(metric));
  SNUG_CHECK(info.metric == metric, "the list of metrics is not in the order of their names");
  return info;
}

std::string metric_help(const MetricInfo& info) {
  const bool has_unit = info.unit != "1";
  return fmt::format("{}{}{}: {}", info.basis, has_unit ? ", " : "", has_unit ? info.unit : "", info.meaning);
}

std::string describe_metrics() {
  std::string text = "| name | kind | unit | what it is | labels | meaning |\n|---|---|---|---|---|---|\n";
  for (const MetricInfo& info : kMetrics) {
    std::string labels;
    for (const char c : info.labels) labels += c == ' ' ? std::string("`, `") : std::string(1, c);
    if (!labels.empty()) labels = "`" + labels + "`";
    text += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", info.name, metric_kind_name(info.kind),
                        info.unit, info.basis, labels, info.meaning);
  }
  return text;
}

}  // namespace snug
