#include "pipeline/record_run.h"

#include <cmath>
#include <exception>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "base/log.h"

namespace snug {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();  // null in the log

// To milliseconds.
double rounded(double seconds) { return std::round(seconds * 1e3) / 1e3; }

// "style:0.8, light:1"
std::string loras_of(const RunReport& report) {
  std::string text;
  for (const LoraReport& lora : report.loras) {
    text += fmt::format("{}{}:{:g}", text.empty() ? "" : ", ", lora.name, lora.weight);
  }
  return text;
}

int64_t unused_keys_of(const RunReport& report) {
  int64_t count = 0;
  for (const LoraReport& lora : report.loras) count += static_cast<int64_t>(lora.unused_keys.size());
  return count;
}

}  // namespace

void record_run(const RunReport& report) noexcept {
  try {
    log::event(log::Level::kInfo, "run",
               {{"model", report.model},
                {"loras", loras_of(report)},
                {"unused_lora_keys", unused_keys_of(report)},
                {"width", report.width},
                {"height", report.height},
                {"steps", report.steps},
                {"batch", report.batch},
                {"precision", report.precision},
                {"budget_bytes", report.budget_bytes},
                {"planned_peak_bytes", report.planned_peak_bytes},
                {"peak_bytes", report.peak_bytes ? static_cast<double>(*report.peak_bytes) : kUnknown},
                {"predicted_seconds", rounded(report.predicted_seconds)},
                {"phases_seconds", rounded(report.phase_seconds())},
                {"load_seconds", rounded(report.load_seconds)},
                {"encode_seconds", rounded(report.encode_seconds)},
                {"denoise_seconds", rounded(report.denoise_seconds)},
                {"decode_seconds", rounded(report.decode_seconds)},
                {"seconds", rounded(report.total_seconds)},
                {"stage", report.stage},
                {"result", report.error_code.empty() ? "done" : report.error_code}});
  } catch (const std::exception&) {
    // A full disk under the log must not turn a finished picture into a failure.
  }
}

}  // namespace snug
