#include "jobs/run_figures.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "pipeline/rates_file.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// To microseconds: a record is kept for a year, and its digits cost bytes.
double rounded(double seconds) { return std::round(seconds * 1e6) / 1e6; }

// Of UTF-8: bytes that begin one.
int64_t characters(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
}

int64_t whole(uint64_t bytes) { return static_cast<int64_t>(bytes); }

ordered_json phase_json(const PhaseReport& phase) {
  return {{"name", phase.name},
          {"stage", phase.stage},
          {"runs", phase.runs},
          {"predicted_seconds", rounded(phase.predicted_seconds)},
          {"seconds", rounded(phase.seconds)},
          {"predicted_waiting_seconds", rounded(phase.predicted_stall_seconds)},
          {"waiting_seconds", rounded(phase.stall_seconds)},
          {"read_bytes", phase.read_bytes},
          {"flops", phase.flops},
          {"bytes", phase.bytes},
          {"streamed_bytes", phase.streamed_bytes},
          {"spilled_bytes", phase.spilled_bytes},
          {"passes", phase.passes},
          {"bands", phase.bands},
          {"measures", phase.measures}};
}

std::string detail_of(const RunReport& report, const std::optional<MachineUse>& use) {
  ordered_json json;
  json["phases"] = ordered_json::array();
  for (const PhaseReport& phase : report.phases) json["phases"].push_back(phase_json(phase));
  json["step_seconds"] = ordered_json::array();
  for (const double seconds : report.step_seconds) json["step_seconds"].push_back(rounded(seconds));
  json["peak_kinds"] = ordered_json::object();
  for (const auto& [kind, bytes] : report.peak_kinds) json["peak_kinds"][kind] = bytes;
  json["machine"] = use.has_value() ? to_json(*use) : ordered_json();
  json["rates"] = report.rates;
  json["changes"] = report.changes;
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void add_phases(RunRecord& record, const RunReport& report) {
  if (report.phases.empty()) return;  // it was not planned
  double predicted_waiting = 0, waiting = 0, flops = 0;
  int64_t streamed = 0, spilled = 0, passes = 1, bands = 1;
  for (const PhaseReport& phase : report.phases) {
    predicted_waiting += phase.predicted_stall_seconds;
    waiting += phase.stall_seconds;
    flops += phase.flops;
    streamed += whole(phase.streamed_bytes);
    spilled += whole(phase.spilled_bytes);
    passes = std::max<int64_t>(passes, phase.passes);
    bands = std::max<int64_t>(bands, phase.bands);
  }
  record.predicted_seconds = report.predicted_seconds;
  record.predicted_waiting_seconds = predicted_waiting;
  record.flops = flops;
  record.streamed_bytes = streamed;
  record.spilled_bytes = spilled;
  record.passes = passes;
  record.bands = bands;
  record.budget_bytes = whole(report.budget_bytes);
  record.planned_peak_bytes = whole(report.planned_peak_bytes);
  if (!report.error_code.empty()) return;  // its phases were not all gone through
  record.phases_seconds = report.phase_seconds();
  record.waiting_seconds = waiting;
  record.arena_bytes = whole(report.used_arena_bytes);
  record.read_bytes = whole(report.read_bytes);
}

void add_use(RunRecord& record, const MachineUse& use) {
  const auto whole_number = [](const std::optional<double>& value) {
    return value.has_value() ? std::optional<int64_t>(std::llround(*value)) : std::nullopt;
  };
  record.cpu_percent = use.cpu_percent;
  record.other_cpu_percent = use.other_cpu_percent;
  record.process_cpu_seconds = use.process_cpu_seconds;
  record.disk_read_bytes = whole_number(use.process_read_bytes);
  record.major_faults = whole_number(use.major_faults);
  record.throttled_seconds = use.throttled_seconds;
  record.memory_pressure_seconds = use.memory_pressure_seconds;
  record.io_pressure_seconds = use.io_pressure_seconds;
  record.cpu_pressure_seconds = use.cpu_pressure_seconds;
  record.temperature_celsius = use.hottest_celsius;
  record.gpu_utilization_percent = use.gpu_utilization_percent;
  record.gpu_memory_bytes = whole_number(use.highest_gpu_memory_bytes);
}

std::string_view kind_of(const Request& request) {
  if (request.is_clip) return request.image.empty() ? "text_to_video" : "image_to_video";
  if (!request.mask.empty()) return "inpainting";
  return request.image.empty() ? "text_to_image" : "image_to_image";
}

}  // namespace

RunRecord asked_record(const PreparedJob& job) {
  const Request& request = job.request;
  RunRecord record;
  record.kind = kind_of(request);
  record.model = request.model_name;
  record.architecture = job.model->description.title;
  record.sampler = request.sampler_name;
  record.precision = precision_name(request.precision);
  record.width = request.width;
  record.height = request.height;
  record.steps = request.steps;
  record.frames = request.frames;
  if (request.is_clip) record.fps = request.frames_per_second;
  record.guidance_scale = request.guidance_scale;
  record.prompt_length = characters(request.pictures.front().prompt);
  record.machine = machine_name();
  record.backend = cpu_backend().name();
  return record;
}

RunRecord run_figures(const RunReport& report, const std::optional<MachineUse>& use, double keep_seconds) {
  RunRecord record;
  record.precision = report.precision;
  record.width = report.width;
  record.height = report.height;
  record.backend = report.backend;
  record.kept = report.weights_kept;
  if (report.batch > 0) record.batch = report.batch;
  if (report.threads > 0) record.threads = report.threads;
  record.plan_seconds = report.plan_seconds;
  record.load_seconds = report.load_seconds;
  record.encode_seconds = report.encode_seconds;
  record.denoise_seconds = report.denoise_seconds;
  record.decode_seconds = report.decode_seconds;
  record.write_seconds = report.write_seconds;
  record.keep_seconds = keep_seconds;
  record.turn_wait_seconds = report.turn_wait_seconds;
  if (report.peak_bytes.has_value()) record.peak_bytes = whole(*report.peak_bytes);
  add_phases(record, report);
  if (use.has_value()) add_use(record, *use);
  record.detail = detail_of(report, use);
  return record;
}

std::string machine_name() {
  static const std::string kName = [] {
    const RatesKey key = rates_key(cpu_backend());
    return key.processor.empty() ? key.instruction_set
                                 : fmt::format("{}, {}", key.processor, key.instruction_set);
  }();
  return kName;
}

}  // namespace snug
