// A stand-in for libnvidia-ml.so.1 with the functions of nvml_api.h: what it says of its cards is set by the
// test (fake_nvml.h). It refuses as NVML's documentation says: before nvmlInit_v2, for a card that is not
// there, for a buffer that is too small.
#include "monitor/samples/fake_nvml/fake_nvml.h"

#include <algorithm>
#include <cstring>

using namespace snug;        // NOLINT(google-build-using-namespace): the functions stand outside, as C's
using namespace snug::nvml;  // NOLINT(google-build-using-namespace)

#define SNUG_EXPORT extern "C" __attribute__((visibility("default")))

SNUG_EXPORT FakeNvml fake_nvml;
FakeNvml fake_nvml;

namespace {

Result state_of(Device device) {
  if (fake_nvml.initialized <= 0) return kUninitialized;
  return device == nullptr ? kInvalidArgument : static_cast<FakeCard*>(device)->state;
}

template <typename Answer>
Result answer(Device device, const Answer& give) {
  const Result state = state_of(device);
  if (state == kSuccess) give(*static_cast<FakeCard*>(device));
  return state;
}

Result text_answer(Device device, char* text, unsigned bytes, const char* FakeCard::*member) {
  const Result state = state_of(device);
  if (state != kSuccess) return state;
  const char* const given = static_cast<FakeCard*>(device)->*member;
  if (std::strlen(given) + 1 > bytes) return kInsufficientSize;
  std::memcpy(text, given, std::strlen(given) + 1);
  return kSuccess;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): the names are the library's.
SNUG_EXPORT Result nvmlInit_v2() {
  if (fake_nvml.init_result == kSuccess) ++fake_nvml.initialized;
  return fake_nvml.init_result;
}
SNUG_EXPORT Result nvmlShutdown() {
  --fake_nvml.initialized;
  return kSuccess;
}
SNUG_EXPORT const char* nvmlErrorString(Result result) {
  switch (result) {
    case kUninitialized: return "Uninitialized";
    case kNotSupported: return "Not Supported";
    case kNoPermission: return "Insufficient Permissions";
    case kGpuIsLost: return "GPU is lost";
    default: return "Unknown Error";
  }
}
SNUG_EXPORT Result nvmlDeviceGetCount_v2(unsigned* count) {
  if (fake_nvml.initialized <= 0) return kUninitialized;
  *count = fake_nvml.card_count;
  return kSuccess;
}
SNUG_EXPORT Result nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) {
  if (fake_nvml.initialized <= 0) return kUninitialized;
  if (index >= fake_nvml.card_count) return kInvalidArgument;
  *device = &fake_nvml.cards[index];
  return fake_nvml.cards[index].state;
}
SNUG_EXPORT Result nvmlDeviceGetName(Device device, char* text, unsigned bytes) {
  return text_answer(device, text, bytes, &FakeCard::name);
}
SNUG_EXPORT Result nvmlDeviceGetUUID(Device device, char* text, unsigned bytes) {
  return text_answer(device, text, bytes, &FakeCard::uuid);
}
SNUG_EXPORT Result nvmlDeviceGetUtilizationRates(Device device, Utilization* utilization) {
  return answer(device, [&](const FakeCard& card) { *utilization = card.utilization; });
}
SNUG_EXPORT Result nvmlDeviceGetMemoryInfo(Device device, Memory* memory) {
  return answer(device, [&](const FakeCard& card) { *memory = card.memory; });
}
SNUG_EXPORT Result nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned* count, Process* list) {
  const Result state = state_of(device);
  if (state != kSuccess) return state;
  const auto& card = *static_cast<FakeCard*>(device);
  const unsigned room = *count;
  *count = card.process_count;
  if (room < card.process_count) return kInsufficientSize;
  std::copy_n(card.processes.begin(), card.process_count, list);
  return kSuccess;
}
SNUG_EXPORT Result nvmlDeviceGetGraphicsRunningProcesses_v3(Device device, unsigned* count, Process*) {
  return answer(device, [&](const FakeCard&) { *count = 0; });
}
SNUG_EXPORT Result nvmlDeviceGetTemperature(Device device, int, unsigned* celsius) {
  return answer(device, [&](const FakeCard& card) { *celsius = card.temperature_celsius; });
}
SNUG_EXPORT Result nvmlDeviceGetPowerUsage(Device device, unsigned* milliwatts) {
  const Result state = answer(device, [&](const FakeCard& card) { *milliwatts = card.power_milliwatts; });
  return state == kSuccess ? static_cast<FakeCard*>(device)->power_state : state;
}
SNUG_EXPORT Result nvmlDeviceGetClockInfo(Device device, int, unsigned* megahertz) {
  return answer(device, [&](const FakeCard& card) { *megahertz = card.clock_megahertz; });
}
SNUG_EXPORT Result nvmlDeviceGetMaxClockInfo(Device device, int, unsigned* megahertz) {
  return answer(device, [&](const FakeCard& card) { *megahertz = card.clock_limit_megahertz; });
}
SNUG_EXPORT Result nvmlDeviceGetCurrentClocksThrottleReasons(Device device, unsigned long long* bits) {
  return answer(device, [&](const FakeCard& card) { *bits = card.throttle_bits; });
}
// NOLINTEND(readability-identifier-naming)
