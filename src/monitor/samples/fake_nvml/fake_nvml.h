// How a test sets what the stand-in for NVIDIA's library says: the library exports `fake_nvml` of type
// FakeNvml*. Two cards, of which each can be lost; used by nvml_test.cc alone.
#pragma once

#include <array>

#include "monitor/samples/nvml_api.h"

namespace snug {

struct FakeCard {
  const char* name = "";
  const char* uuid = "";
  nvml::Utilization utilization;
  nvml::Memory memory;
  nvml::Result state = nvml::kSuccess;        // what every question answers
  nvml::Result power_state = nvml::kSuccess;  // what the question for power answers
  unsigned power_milliwatts = 0, temperature_celsius = 0, clock_megahertz = 0, clock_limit_megahertz = 0;
  unsigned long long throttle_bits = 0;
  std::array<nvml::Process, 100> processes = {};
  unsigned process_count = 0;
};

struct FakeNvml {
  nvml::Result init_result = nvml::kSuccess;
  int initialized = 0;  // nvmlInit_v2 less nvmlShutdown
  unsigned card_count = 2;
  std::array<FakeCard, 2> cards;
};

}  // namespace snug
