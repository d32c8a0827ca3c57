// What Snug uses of NVIDIA's management library, as its C API documents it ("NVML API Reference Guide"):
// written down here, because the library comes with the driver and its header does not. Used by nvml.cc and
// by the stand-in for the library in tests. Names are NVML's without their prefix.
//
// Functions with a version in their name keep their meaning for ever; that is how NVML stays compatible.
#pragma once

#include <cstdint>

namespace snug::nvml {

using Result = int;  // nvmlReturn_t
inline constexpr Result kSuccess = 0, kUninitialized = 1, kInvalidArgument = 2, kNotSupported = 3,
                        kNoPermission = 4, kInsufficientSize = 7, kGpuIsLost = 15, kUnknown = 999;

using Device = void*;  // nvmlDevice_t, opaque

struct Utilization {  // nvmlUtilization_t, percent of the last sampling period
  unsigned gpu = 0, memory = 0;
};
struct Memory {  // nvmlMemory_t, bytes
  unsigned long long total = 0, free = 0, used = 0;
};
struct Process {  // nvmlProcessInfo_t since _v3 (which _v2 of the struct is)
  unsigned pid = 0;
  unsigned long long used_gpu_memory = 0;  // bytes, or kNotAvailable
  unsigned gpu_instance_id = 0, compute_instance_id = 0;
};
static_assert(sizeof(Utilization) == 8 && sizeof(Memory) == 24 && sizeof(Process) == 24,
              "the structs have the layout of the C API");

inline constexpr unsigned long long kNotAvailable = ~0ULL;  // NVML_VALUE_NOT_AVAILABLE
inline constexpr unsigned kNameBytes = 96;                  // NVML_DEVICE_NAME_V2_BUFFER_SIZE, the UUID's too
inline constexpr int kTemperatureGpu = 0;                   // NVML_TEMPERATURE_GPU
inline constexpr int kClockSm = 1, kClockMemory = 2;        // NVML_CLOCK_SM, NVML_CLOCK_MEM

// nvmlClocksThrottleReason*, called nvmlClocksEventReason* since driver 535.
struct ThrottleReason {
  unsigned long long bit;
  const char* word;
};
inline constexpr ThrottleReason kThrottleReasons[] = {
    {0x1, "idle"},
    {0x2, "application_clocks"},
    {0x4, "power_cap"},
    {0x8, "hardware_slowdown"},
    {0x10, "sync_boost"},
    {0x20, "software_thermal"},
    {0x40, "hardware_thermal"},
    {0x80, "hardware_power_brake"},
    {0x100, "display_clocks"},
};

// One member for each function, under the name that the library exports.
struct Functions {
  Result (*init)() = nullptr;                                           // nvmlInit_v2
  Result (*shutdown)() = nullptr;                                       // nvmlShutdown
  const char* (*error_string)(Result) = nullptr;                        // nvmlErrorString
  Result (*count)(unsigned*) = nullptr;                                 // nvmlDeviceGetCount_v2
  Result (*handle)(unsigned, Device*) = nullptr;                        // nvmlDeviceGetHandleByIndex_v2
  Result (*name)(Device, char*, unsigned) = nullptr;                    // nvmlDeviceGetName
  Result (*uuid)(Device, char*, unsigned) = nullptr;                    // nvmlDeviceGetUUID
  Result (*utilization)(Device, Utilization*) = nullptr;                // nvmlDeviceGetUtilizationRates
  Result (*memory)(Device, Memory*) = nullptr;                          // nvmlDeviceGetMemoryInfo
  Result (*compute_processes)(Device, unsigned*, Process*) = nullptr;   // ...GetComputeRunningProcesses_v3
  Result (*graphics_processes)(Device, unsigned*, Process*) = nullptr;  // ...GetGraphicsRunningProcesses_v3
  Result (*temperature)(Device, int, unsigned*) = nullptr;              // nvmlDeviceGetTemperature
  Result (*power)(Device, unsigned*) = nullptr;                         // nvmlDeviceGetPowerUsage, milliwatts
  Result (*clock)(Device, int, unsigned*) = nullptr;                    // nvmlDeviceGetClockInfo, MHz
  Result (*clock_limit)(Device, int, unsigned*) = nullptr;              // nvmlDeviceGetMaxClockInfo, MHz
  Result (*throttle_reasons)(Device, unsigned long long*) = nullptr;    // ...GetCurrentClocksThrottleReasons
};

}  // namespace snug::nvml
