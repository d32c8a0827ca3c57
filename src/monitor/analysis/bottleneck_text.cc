#include "monitor/analysis/bottleneck_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.h"

namespace snug {
namespace {

using nlohmann::ordered_json;
using Kind = BottleneckKind;

double seconds_of(const TimeShares& shares, Kind kind) { return shares.seconds[static_cast<size_t>(kind)]; }

std::string bytes_text(double bytes) {
  return format_bytes(static_cast<uint64_t>(std::clamp(bytes, 0.0, 9e18)));
}

// "4.20 s of 12.0 s, 35 %"
std::string of_total(const TimeShares& shares, Kind kind) {
  const double seconds = seconds_of(shares, kind);
  return fmt::format("{} of {}, {:.0f} %", format_seconds(seconds), format_seconds(shares.total_seconds),
                     100 * seconds / shares.total_seconds);
}

// Of the phases that the kind bound.
struct Roof {
  double flops = 0, bytes = 0, ideal_seconds = 0, seconds = 0;
};
Roof roof_of(const TimeShares& shares, Kind kind) {
  Roof roof;
  for (const PhaseShare& part : shares.phases) {
    const double seconds = part.seconds[static_cast<size_t>(kind)];
    if (seconds <= 0) continue;
    roof.flops += part.phase.flops;
    roof.bytes += part.phase.bytes;
    roof.ideal_seconds += std::max(part.ideal_compute_seconds, part.ideal_memory_seconds);
    roof.seconds += seconds;
  }
  return roof;
}

double attained(double ideal_seconds, double seconds) { return seconds > 0 ? ideal_seconds / seconds : 0; }

std::string describe_roof(Kind kind, const TimeShares& shares) {
  const Roof roof = roof_of(shares, kind);
  const bool compute = kind == Kind::kCompute;
  return fmt::format(
      "{} took {} of the job's time. The phases that it bound did {} in that time, {:.0f} % of what the "
      "machine's rates allow.",
      compute ? "Arithmetic" : "Moving activations and weights through memory", of_total(shares, kind),
      compute ? fmt::format("{:.3g} GFLOP/s", roof.flops / roof.seconds / 1e9)
              : fmt::format("{}/s", bytes_text(roof.bytes / roof.seconds)),
      100 * attained(roof.ideal_seconds, roof.seconds));
}

std::string describe_throttling(const TimeShares& shares) {
  std::string text = fmt::format("The cores were held back: that took {} of the job's time.",
                                 of_total(shares, Kind::kThrottling));
  if (shares.throttled_fraction > 0)
    text += fmt::format(" A processor quota stopped them for {:.0f} % of the run.",
                        100 * shares.throttled_fraction);
  if (shares.slow_clock_fraction > 0)
    text += fmt::format(" They ran {:.0f} % under the frequency that they may reach.",
                        100 * shares.slow_clock_fraction);
  return text;
}

std::string describe_memory(const RunRecord& record, const TimeShares& shares) {
  std::string text =
      fmt::format("Too little memory took {} of the job's time.", of_total(shares, Kind::kMemoryPressure));
  if (shares.reread_bytes > 0)
    text += fmt::format(
        " Weights were read again in each step, {} altogether{}.", bytes_text(shares.reread_bytes),
        record.budget_bytes ? fmt::format(", to stay within a budget of {}",
                                          bytes_text(static_cast<double>(*record.budget_bytes)))
                            : "");
  if (record.spilled_bytes.value_or(0) > 0)
    text += fmt::format(" {} of activations went to a file and back.",
                        bytes_text(static_cast<double>(*record.spilled_bytes)));
  if (record.memory_pressure_seconds.value_or(0) > 0)
    text += fmt::format(" Programs on this machine waited {} for memory.",
                        format_seconds(*record.memory_pressure_seconds));
  return text;
}

std::string describe_disk(const RunRecord& record, const TimeShares& shares) {
  double expected = 0;
  for (const PhaseShare& part : shares.phases) expected += part.phase.predicted_waiting_seconds;
  std::string text = fmt::format(
      "Kernels waited {} for weights, where {} were predicted: the disk took {} of the job's time.",
      format_seconds(record.waiting_seconds.value_or(0)), format_seconds(expected),
      of_total(shares, Kind::kDisk));
  if (record.read_bytes)
    text += fmt::format(" {} were read.", bytes_text(static_cast<double>(*record.read_bytes)));
  return text;
}

// What a kind's finding rests on: columns of the record, and where these are from. In the order of the kinds.
struct Basis {
  std::string_view sources;
  std::array<std::string_view, 8> columns = {};
};
constexpr std::array<Basis, kBottleneckKinds> kBases = {{
    {"seconds measured by phase; flops and bytes nominal, by the plan; limit by the machine's rates",
     {"precision", "threads"}},
    {"seconds measured by phase; flops and bytes nominal, by the plan; limit by the machine's rates",
     {"precision", "threads"}},
    {"waiting and read bytes measured by the run; disk bytes and pressure by the kernel",
     {"waiting_seconds", "predicted_waiting_seconds", "read_bytes", "disk_read_bytes",
      "io_pressure_seconds"}},
    {"none", {}},
    {"measured by the service", {"queue_seconds", "turn_wait_seconds"}},
    {"measured by the run", {"load_seconds", "waiting_seconds", "read_bytes", "kept"}},
    {"waiting measured by the run; streaming and spilling by the plan; pressure and faults by the kernel",
     {"waiting_seconds", "streamed_bytes", "spilled_bytes", "passes", "bands", "budget_bytes",
      "memory_pressure_seconds", "major_faults"}},
    {"by the kernel: the control group's processor quota, the cores' frequency and temperature",
     {"throttled_seconds", "threads", "temperature_celsius"}},
    {"by the kernel, during the run",
     {"other_cpu_percent", "cpu_percent", "cpu_pressure_seconds", "threads"}},
}};

// What is not in the record as it is.
void add_computed(Kind kind, const MachinePeaks& peaks, const TimeShares& shares, ordered_json& json) {
  switch (kind) {
    case Kind::kCompute:
    case Kind::kMemoryBandwidth: {
      const Roof roof = roof_of(shares, kind);
      json["flops"] = roof.flops;
      json["bytes"] = roof.bytes;
      json["ideal_seconds"] = roof.ideal_seconds;
      json["share_of_limit"] = attained(roof.ideal_seconds, roof.seconds);
      json["rates"] = rates_source_name(peaks.rates.source);
      break;
    }
    case Kind::kDisk:
      json["predicted_read_bytes_per_second"] = peaks.rates.read_bytes;
      json["rates"] = rates_source_name(peaks.rates.source);
      break;
    case Kind::kMemoryPressure: json["reread_bytes"] = shares.reread_bytes; break;
    case Kind::kThrottling:
      json["throttled_fraction"] = shares.throttled_fraction;
      json["slow_clock_fraction"] = shares.slow_clock_fraction;
      break;
    case Kind::kOtherPrograms:
      json["cores"] = peaks.cores;
      json["lost_fraction"] = shares.other_programs_fraction;
      break;
    default: break;
  }
}

}  // namespace

std::string describe_bottleneck(Kind kind, const RunRecord& record, const TimeShares& shares) {
  const std::string took = of_total(shares, kind);
  switch (kind) {
    case Kind::kCompute:
    case Kind::kMemoryBandwidth: return describe_roof(kind, shares);
    case Kind::kDisk: return describe_disk(record, shares);
    case Kind::kTransfer:
      return fmt::format("Transfers to and from the GPU took {} of the job's time.", took);
    case Kind::kQueue: return fmt::format("The job waited for other jobs: {} of its time.", took);
    case Kind::kLoad:
      return fmt::format(
          "Opening the model and reading its weights for the first time took {} of the job's time.", took);
    case Kind::kMemoryPressure: return describe_memory(record, shares);
    case Kind::kThrottling: return describe_throttling(shares);
    case Kind::kOtherPrograms:
      return fmt::format(
          "Other programs used {:.0f} % of the machine's cores; having to share them took {} of the job's "
          "time.",
          record.other_cpu_percent.value_or(0), took);
  }
  return {};
}

std::string recommend(Kind kind, const RunRecord& record, const TimeShares& shares) {
  switch (kind) {
    case Kind::kCompute:
      return record.precision == "bf16"
                 ? "Fewer steps, a smaller picture or a faster processor would shorten this; nothing is "
                   "wasted."
                 : "Fewer steps, a smaller picture, a faster processor, or bf16 where the processor has "
                   "instructions for it would shorten this; nothing is wasted.";
    case Kind::kMemoryBandwidth:
      return "A smaller picture, bf16 activations or faster memory would shorten this; more threads would "
             "not.";
    case Kind::kDisk: return "Put the model on a faster disk, or keep it in memory between runs.";
    case Kind::kTransfer: return "Keep the model on the GPU between runs.";
    case Kind::kQueue:
      return "Let jobs that share a plan run as one batch, spread them over time, or add a machine.";
    case Kind::kLoad: return "Keep the model in memory between runs, so that only the first one loads it.";
    case Kind::kMemoryPressure:
      return shares.reread_bytes > 0
                 ? "Raise the memory budget, or choose a smaller picture, a smaller batch or bf16, so that "
                   "the "
                   "weights stay in memory."
                 : "Free memory on this machine, or lower the budget so that what runs beside Snug fits too.";
    case Kind::kThrottling:
      return shares.slow_clock_fraction > shares.throttled_fraction
                 ? "Cool the processor, or use fewer threads."
                 : "Raise the processor quota of the container or service, or use as many threads as it "
                   "allows.";
    case Kind::kOtherPrograms:
      return "Stop or move the other programs, or use as many threads as they leave cores.";
  }
  return {};
}

ordered_json evidence_of(Kind kind, const RunRecord& record, const MachinePeaks& peaks,
                         const TimeShares& shares) {
  ordered_json json = {{"total_seconds", shares.total_seconds}, {"seconds", seconds_of(shares, kind)}};
  const Basis& basis = kBases.at(static_cast<size_t>(kind));
  for (const RecordColumn& column : record_columns()) {
    if (std::find(basis.columns.begin(), basis.columns.end(), column.name) != basis.columns.end())
      json[std::string(column.name)] = column_json(record, column);
  }
  add_computed(kind, peaks, shares, json);
  json["sources"] = basis.sources;
  return json;
}

std::string describe_phase(Kind kind, const PhaseShare& part) {
  const double seconds = part.seconds[static_cast<size_t>(kind)];
  std::string text =
      fmt::format("{} took {} of the {} of phase {}.", bottleneck_kind_name(kind), format_seconds(seconds),
                  format_seconds(part.phase.seconds), part.phase.name);
  const double ideal = std::max(part.ideal_compute_seconds, part.ideal_memory_seconds);
  if (!is_avoidable(kind) && ideal > 0)
    text += fmt::format(" It reached {:.0f} % of what the machine's rates allow.",
                        100 * attained(ideal, seconds));
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  std::replace(text.begin(), text.begin() + static_cast<ptrdiff_t>(bottleneck_kind_name(kind).size()), '_',
               ' ');
  return text;
}

ordered_json phase_evidence(const PhaseShare& part, const MachinePeaks& peaks) {
  ordered_json by_kind = ordered_json::object();
  for (size_t kind = 0; kind < kBottleneckKinds; ++kind) {
    if (part.seconds[kind] > 0)
      by_kind[std::string(bottleneck_kind_name(static_cast<Kind>(kind)))] = part.seconds[kind];
  }
  const bool roof = part.ideal_compute_seconds > 0 || part.ideal_memory_seconds > 0;
  return {{"seconds", part.phase.seconds},
          {"predicted_seconds", part.phase.predicted_seconds},
          {"waiting_seconds", part.phase.waiting_seconds},
          {"predicted_waiting_seconds", part.phase.predicted_waiting_seconds},
          {"read_bytes", part.phase.read_bytes},
          {"flops", part.phase.flops},
          {"bytes", part.phase.bytes},
          {"ideal_compute_seconds", roof ? ordered_json(part.ideal_compute_seconds) : ordered_json()},
          {"ideal_memory_seconds", roof ? ordered_json(part.ideal_memory_seconds) : ordered_json()},
          {"rates", rates_source_name(peaks.rates.source)},
          {"seconds_by_kind", std::move(by_kind)}};
}

}  // namespace snug
