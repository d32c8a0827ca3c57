#include "monitor/samples/nvml.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <dlfcn.h>
#include <fmt/format.h>

#include "monitor/samples/nvml_api.h"

namespace snug {
namespace {

constexpr size_t kMostProcesses = 4096;
constexpr double kMegahertz = 1e6;

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

// False when one is missing that nothing works without. The others may be: older drivers lack some.
bool find_functions(void* library, nvml::Functions& nvml) {
  find(library, "nvmlErrorString", nvml.error_string);
  find(library, "nvmlShutdown", nvml.shutdown);
  find(library, "nvmlDeviceGetName", nvml.name);
  find(library, "nvmlDeviceGetUUID", nvml.uuid);
  find(library, "nvmlDeviceGetUtilizationRates", nvml.utilization);
  find(library, "nvmlDeviceGetMemoryInfo", nvml.memory);
  find(library, "nvmlDeviceGetComputeRunningProcesses_v3", nvml.compute_processes);
  find(library, "nvmlDeviceGetGraphicsRunningProcesses_v3", nvml.graphics_processes);
  find(library, "nvmlDeviceGetTemperature", nvml.temperature);
  find(library, "nvmlDeviceGetPowerUsage", nvml.power);
  find(library, "nvmlDeviceGetClockInfo", nvml.clock);
  find(library, "nvmlDeviceGetMaxClockInfo", nvml.clock_limit);
  // The old name stays exported beside the new one; a driver that drops it has the new one.
  if (!find(library, "nvmlDeviceGetCurrentClocksThrottleReasons", nvml.throttle_reasons)) {
    find(library, "nvmlDeviceGetCurrentClocksEventReasons", nvml.throttle_reasons);
  }
  return find(library, "nvmlInit_v2", nvml.init) && find(library, "nvmlDeviceGetCount_v2", nvml.count) &&
         find(library, "nvmlDeviceGetHandleByIndex_v2", nvml.handle);
}

}  // namespace

struct Nvml::Library {
  void* library = nullptr;
  bool is_ready = false;
  nvml::Functions nvml;
  std::string problem;
  std::vector<nvml::Process> processes;  // scratch

  std::string text_of(nvml::Result result) const {
    const char* const text = nvml.error_string == nullptr ? nullptr : nvml.error_string(result);
    return text == nullptr ? fmt::format("NVML error {}", result) : std::string(text);
  }

  // Calls it when it is there; false and a problem in `gpu` when it fails.
  template <typename Function, typename... Arguments>
  bool ask(GpuSample& gpu, const char* what, Function function, Arguments... arguments) const {
    return succeeded(gpu, what, function == nullptr ? nvml::kNotSupported : function(arguments...));
  }

  bool succeeded(GpuSample& gpu, const char* what, nvml::Result result) const {
    if (result == nvml::kSuccess) return true;
    if (!gpu.problem.empty()) gpu.problem += "; ";
    gpu.problem += fmt::format("{}: {}", what, text_of(result));
    return false;
  }

  // Adds what others hold by one of NVML's two lists; false: not known.
  bool add_processes(GpuSample& gpu, const char* what,
                     nvml::Result (*list)(nvml::Device, unsigned*, nvml::Process*), nvml::Device device,
                     double& others) {
    if (processes.empty()) processes.resize(64);
    auto count = static_cast<unsigned>(processes.size());
    nvml::Result result = list == nullptr ? nvml::kNotSupported : list(device, &count, processes.data());
    // Processes may come between the two calls: ask for room beyond what was said.
    for (int attempt = 0; result == nvml::kInsufficientSize && attempt < 3; ++attempt) {
      processes.resize(std::min<size_t>(kMostProcesses, std::max<size_t>(count, processes.size()) * 2));
      count = static_cast<unsigned>(processes.size());
      result = list(device, &count, processes.data());
    }
    if (!succeeded(gpu, what, result)) return false;
    const auto mine = static_cast<unsigned>(::getpid());
    for (size_t i = 0; i < std::min<size_t>(count, processes.size()); ++i) {
      if (processes[i].pid == mine) continue;
      if (processes[i].used_gpu_memory == nvml::kNotAvailable) {
        return succeeded(gpu, what, nvml::kNoPermission);
      }
      others += static_cast<double>(processes[i].used_gpu_memory);
    }
    return true;
  }

  void read_clocks(GpuSample& gpu, nvml::Device device) const {
    unsigned megahertz = 0;
    if (ask(gpu, "clock", nvml.clock, device, nvml::kClockSm, &megahertz)) {
      gpu.clock_hertz = megahertz * kMegahertz;
    }
    if (ask(gpu, "clock limit", nvml.clock_limit, device, nvml::kClockSm, &megahertz)) {
      gpu.clock_limit_hertz = megahertz * kMegahertz;
    }
    if (ask(gpu, "memory clock", nvml.clock, device, nvml::kClockMemory, &megahertz)) {
      gpu.memory_clock_hertz = megahertz * kMegahertz;
    }
    unsigned long long bits = 0;
    if (!ask(gpu, "throttle reasons", nvml.throttle_reasons, device, &bits)) return;
    gpu.throttle_reasons.emplace();
    for (const nvml::ThrottleReason& reason : nvml::kThrottleReasons) {
      if ((bits & reason.bit) != 0) gpu.throttle_reasons->emplace_back(reason.word);
    }
  }

  void read(GpuSample& gpu) {
    nvml::Device device = nullptr;
    if (!ask(gpu, "card", nvml.handle, static_cast<unsigned>(gpu.index), &device)) return;
    std::array<char, nvml::kNameBytes> text = {};
    if (ask(gpu, "name", nvml.name, device, text.data(), nvml::kNameBytes)) {
      gpu.name.assign(text.data(), ::strnlen(text.data(), text.size()));
    }
    if (ask(gpu, "UUID", nvml.uuid, device, text.data(), nvml::kNameBytes)) {
      gpu.uuid.assign(text.data(), ::strnlen(text.data(), text.size()));
    }
    nvml::Utilization utilization;
    if (ask(gpu, "utilization", nvml.utilization, device, &utilization)) {
      gpu.utilization_percent = utilization.gpu;
    }
    nvml::Memory memory;
    if (ask(gpu, "memory", nvml.memory, device, &memory)) {
      gpu.memory_used_bytes = static_cast<double>(memory.used);
      gpu.memory_total_bytes = static_cast<double>(memory.total);
    }
    double others = 0;
    if (add_processes(gpu, "compute processes", nvml.compute_processes, device, others) &&
        add_processes(gpu, "graphics processes", nvml.graphics_processes, device, others)) {
      gpu.memory_other_bytes = others;
    }
    unsigned number = 0;
    if (ask(gpu, "temperature", nvml.temperature, device, nvml::kTemperatureGpu, &number)) {
      gpu.temperature_celsius = number;
    }
    if (ask(gpu, "power", nvml.power, device, &number)) gpu.power_watts = number / 1000.0;
    read_clocks(gpu, device);
  }
};

Nvml::Nvml(const std::string& library) : library_(std::make_unique<Library>()) {
  library_->library = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library_->library == nullptr) {
    const char* const why = ::dlerror();
    library_->problem = fmt::format("there is no NVIDIA driver: {}", why == nullptr ? library : why);
    return;
  }
  if (!find_functions(library_->library, library_->nvml)) {
    library_->problem = fmt::format("{} lacks functions that every driver since 2013 has", library);
    return;
  }
  const nvml::Result result = library_->nvml.init();
  library_->is_ready = result == nvml::kSuccess;
  if (!library_->is_ready) {
    library_->problem = fmt::format("the NVIDIA driver does not work: {}", library_->text_of(result));
  }
}

Nvml::~Nvml() {
  if (library_->is_ready && library_->nvml.shutdown != nullptr) library_->nvml.shutdown();
  if (library_->library != nullptr) ::dlclose(library_->library);
}

const std::string& Nvml::problem() const { return library_->problem; }

void Nvml::read(std::vector<GpuSample>& gpus) {
  if (!library_->is_ready) {
    gpus.clear();
    return;
  }
  unsigned count = 0;
  const nvml::Result result = library_->nvml.count(&count);
  library_->problem = result != nvml::kSuccess ? library_->text_of(result)
                      : count == 0             ? "the NVIDIA driver finds no card"
                                               : "";
  gpus.resize(result == nvml::kSuccess ? count : 0);
  for (size_t i = 0; i < gpus.size(); ++i) {
    gpus[i] = {};
    gpus[i].index = static_cast<int>(i);
    library_->read(gpus[i]);
  }
}

namespace {

enum class Combine : uint8_t { kSum, kHighest };
struct GpuField {
  SampleField field;
  std::optional<double> GpuSample::*member;
  Combine combine;
};
constexpr std::array kGpuFields = {
    GpuField{SampleField::kGpuUtilizationPercent, &GpuSample::utilization_percent, Combine::kHighest},
    GpuField{SampleField::kGpuMemoryUsed, &GpuSample::memory_used_bytes, Combine::kSum},
    GpuField{SampleField::kGpuMemoryOther, &GpuSample::memory_other_bytes, Combine::kSum},
    GpuField{SampleField::kGpuMemoryTotal, &GpuSample::memory_total_bytes, Combine::kSum},
    GpuField{SampleField::kGpuTemperature, &GpuSample::temperature_celsius, Combine::kHighest},
    GpuField{SampleField::kGpuPower, &GpuSample::power_watts, Combine::kSum},
};

// A sum needs every card: with one missing it would be a guess.
std::optional<double> combined(const std::vector<GpuSample>& gpus, const GpuField& row) {
  std::optional<double> value;
  for (const GpuSample& gpu : gpus) {
    const std::optional<double>& one = gpu.*row.member;
    if (!one && row.combine == Combine::kSum) return std::nullopt;
    if (!one) continue;
    if (row.combine == Combine::kSum) value = value.value_or(0) + *one;
    if (row.combine == Combine::kHighest) value = std::max(value.value_or(*one), *one);
  }
  return value;
}

}  // namespace

void fill_gpu_fields(const std::vector<GpuSample>& gpus, const std::string& problem, Sample& sample,
                     SampleReasons& reasons) {
  for (const GpuField& row : kGpuFields) {
    sample[row.field] = combined(gpus, row);
    std::string& reason = reasons[static_cast<size_t>(row.field)];
    reason.clear();
    if (sample[row.field]) continue;
    reason = problem;
    for (const GpuSample& gpu : gpus) {
      if (reason.empty() && !gpu.problem.empty() && !(gpu.*row.member)) {
        reason = fmt::format("GPU {}: {}", gpu.index, gpu.problem);
      }
    }
  }
}

}  // namespace snug
