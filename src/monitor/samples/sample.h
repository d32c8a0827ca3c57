// What the machine and this process did at one moment: the numbers of sample_fields.h, each core, each GPU.
// Made by sampler.h, kept by sample_store.h, read by alerts and by the pages.
//
// A number that could not be read is nullopt, never 0. Why is the same from sample to sample, so it is kept
// once, beside them: SampleReasons.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "monitor/samples/sample_fields.h"

namespace snug {

using SampleValues = std::array<std::optional<double>, kSampleFieldCount>;

struct GpuSample {
  int index = 0;           // NVML's
  std::string name, uuid;  // empty: not known
  std::string problem;     // why nothing below could be read, or not all of it; empty: all was
  std::optional<double> utilization_percent, memory_used_bytes, memory_total_bytes;
  std::optional<double> memory_other_bytes;  // held by other processes
  std::optional<double> power_watts, temperature_celsius;
  std::optional<double> clock_hertz, clock_limit_hertz, memory_clock_hertz;  // of the multiprocessors
  // Why the clock is lower than it could be: "power_cap", "hardware_thermal", ...; nullopt: not known.
  std::optional<std::vector<std::string>> throttle_reasons;
};

struct Sample {
  int64_t time_ms = 0;  // since 1970, UTC
  SampleValues values;
  std::vector<std::optional<double>> core_percents;  // by the kernel's number of the core
  std::vector<GpuSample> gpus;

  const std::optional<double>& operator[](SampleField field) const {
    return values[static_cast<size_t>(field)];
  }
  std::optional<double>& operator[](SampleField field) { return values[static_cast<size_t>(field)]; }
};

// Why a field is absent; empty where it was last there.
using SampleReasons = std::array<std::string, kSampleFieldCount>;

}  // namespace snug
