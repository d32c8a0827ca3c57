#include "monitor/analysis/run_detail.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace snug {
namespace {

using nlohmann::ordered_json;

std::optional<double> number(const ordered_json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number()) return std::nullopt;
  const double value = found->get<double>();
  if (!std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

std::string text(const ordered_json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t count(const ordered_json& json, const char* name) {
  constexpr double kMost = 1e15;
  return static_cast<int64_t>(std::min(number(json, name).value_or(0), kMost));
}

RunPhase read_phase(const ordered_json& json) {
  const auto real = [&](const char* name) { return number(json, name).value_or(0); };
  RunPhase phase;
  phase.name = text(json, "name");
  phase.stage = text(json, "stage");
  phase.runs = count(json, "runs");
  phase.predicted_seconds = real("predicted_seconds");
  phase.seconds = real("seconds");
  phase.predicted_waiting_seconds = real("predicted_waiting_seconds");
  phase.waiting_seconds = std::min(real("waiting_seconds"), phase.seconds);
  phase.read_bytes = real("read_bytes");
  phase.flops = real("flops");
  phase.bytes = real("bytes");
  phase.streamed_bytes = real("streamed_bytes");
  phase.spilled_bytes = real("spilled_bytes");
  phase.passes = std::max<int64_t>(1, count(json, "passes"));
  phase.bands = std::max<int64_t>(1, count(json, "bands"));
  return phase;
}

}  // namespace

std::optional<RunDetail> read_run_detail(const std::string& detail) {
  const ordered_json json = ordered_json::parse(detail, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  RunDetail read;
  const auto phases = json.find("phases");
  if (phases != json.end() && phases->is_array()) {
    for (const ordered_json& phase : *phases)
      if (phase.is_object()) read.phases.push_back(read_phase(phase));
  }
  const auto machine = json.find("machine");
  if (machine != json.end() && machine->is_object()) {
    read.frequency_hertz = number(*machine, "frequency_hertz");
    read.frequency_limit_hertz = number(*machine, "frequency_limit_hertz");
    read.thermal_throttles = number(*machine, "thermal_throttles");
  }
  return read;
}

}  // namespace snug
