#include "monitor/sample_metrics.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace snug {
namespace {

// A sample's field, and the metric with the label that shows it.
struct Shown {
  SampleField field;
  Metric metric;
  std::string_view label, value;
  double factor = 1;
};

using F = SampleField;
using M = Metric;
constexpr double kOfPercent = 0.01;

constexpr std::array kShown = {
    Shown{F::kCpuPercent, M::kMachineCpu, "part", "all", kOfPercent},
    Shown{F::kProcessCpuPercent, M::kMachineCpu, "part", "process", kOfPercent},
    Shown{F::kCpuOtherPercent, M::kMachineCpu, "part", "other", kOfPercent},
    Shown{F::kCpuIowaitPercent, M::kMachineCpu, "part", "iowait", kOfPercent},
    Shown{F::kCpuStealPercent, M::kMachineCpu, "part", "steal", kOfPercent},
    Shown{F::kCpuPressurePercent, M::kMachinePressure, "resource", "cpu", kOfPercent},
    Shown{F::kMemoryPressurePercent, M::kMachinePressure, "resource", "memory", kOfPercent},
    Shown{F::kIoPressurePercent, M::kMachinePressure, "resource", "io", kOfPercent},
    Shown{F::kMemoryTotal, M::kMachineMemory, "kind", "total"},
    Shown{F::kMemoryAvailable, M::kMachineMemory, "kind", "available"},
    Shown{F::kCgroupMemory, M::kMachineMemory, "kind", "cgroup"},
    Shown{F::kCgroupMemoryLimit, M::kMachineMemory, "kind", "cgroup_limit"},
    Shown{F::kSwapTotal, M::kMachineMemory, "kind", "swap_total"},
    Shown{F::kSwapUsed, M::kMachineMemory, "kind", "swap_used"},
    Shown{F::kDiskTotal, M::kMachineDisk, "kind", "total"},
    Shown{F::kDiskFree, M::kMachineDisk, "kind", "free"},
    Shown{F::kDiskBusyPercent, M::kMachineDiskBusy, "", "", kOfPercent},
    Shown{F::kDiskRead, M::kMachineFlow, "flow", "disk_read"},
    Shown{F::kDiskWrite, M::kMachineFlow, "flow", "disk_write"},
    Shown{F::kProcessRead, M::kMachineFlow, "flow", "process_read"},
    Shown{F::kProcessWrite, M::kMachineFlow, "flow", "process_write"},
    Shown{F::kNetworkReceived, M::kMachineFlow, "flow", "network_received"},
    Shown{F::kNetworkSent, M::kMachineFlow, "flow", "network_sent"},
    Shown{F::kSwapIn, M::kMachineFlow, "flow", "swap_in"},
    Shown{F::kSwapOut, M::kMachineFlow, "flow", "swap_out"},
    Shown{F::kTemperature, M::kMachineTemperature, "", ""},
    Shown{F::kFrequency, M::kMachineFrequency, "kind", "now"},
    Shown{F::kFrequencyLimit, M::kMachineFrequency, "kind", "limit"},
    Shown{F::kThermalThrottles, M::kThermalThrottles, "", ""},
    Shown{F::kMinorFaults, M::kProcessFaults, "kind", "minor"},
    Shown{F::kMajorFaults, M::kProcessFaults, "kind", "major"},
    Shown{F::kThreads, M::kProcessThreads, "", ""},
    Shown{F::kOpenFiles, M::kProcessOpenFiles, "", ""},
    Shown{F::kThrottled, M::kProcessThrottled, "", ""},
    Shown{F::kSampleSeconds, M::kSampleSeconds, "", ""},
    Shown{F::kJitterSeconds, M::kSampleJitter, "", ""},
};

void add_gpu(const GpuSample& gpu, std::vector<MetricFigure>& figures) {
  const std::string number = std::to_string(gpu.index);
  const auto add = [&](Metric metric, const std::optional<double>& value, double factor, const char* kind) {
    if (!value) return;
    MetricFigure& figure = figures.emplace_back(MetricFigure{metric, *value * factor, {{"gpu", number}}});
    if (*kind != 0) figure.labels.emplace_back("kind", kind);
  };
  add(Metric::kGpuUtilization, gpu.utilization_percent, kOfPercent, "");
  add(Metric::kGpuMemory, gpu.memory_used_bytes, 1, "used");
  add(Metric::kGpuMemory, gpu.memory_other_bytes, 1, "other");
  add(Metric::kGpuMemory, gpu.memory_total_bytes, 1, "total");
  add(Metric::kGpuPower, gpu.power_watts, 1, "");
  add(Metric::kGpuTemperature, gpu.temperature_celsius, 1, "");
  add(Metric::kGpuClock, gpu.clock_hertz, 1, "now");
  add(Metric::kGpuClock, gpu.clock_limit_hertz, 1, "limit");
}

}  // namespace

std::vector<MetricFigure> sample_figures(const Sample& sample, int64_t now_ms) {
  std::vector<MetricFigure> figures;
  for (const Shown& shown : kShown) {
    const std::optional<double>& value = sample[shown.field];
    if (!value) continue;
    MetricFigure& figure = figures.emplace_back(MetricFigure{shown.metric, *value * shown.factor, {}});
    if (!shown.label.empty()) figure.labels.emplace_back(shown.label, shown.value);
  }
  for (const GpuSample& gpu : sample.gpus) add_gpu(gpu, figures);
  const auto age_ms = static_cast<double>(std::max<int64_t>(0, now_ms - sample.time_ms));
  figures.push_back({Metric::kSampleAge, age_ms / 1000, {}});
  return figures;
}

}  // namespace snug
