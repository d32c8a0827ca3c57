#include "pipeline/run_report.h"

#include <nlohmann/json.hpp>

namespace snug {

using nlohmann::ordered_json;

namespace {

ordered_json phases_json(const std::vector<PhaseReport>& phases) {
  ordered_json list = ordered_json::array();
  for (const PhaseReport& phase : phases) {
    list.push_back({{"name", phase.name},
                    {"stage", phase.stage},
                    {"runs", phase.runs},
                    {"predicted_seconds", phase.predicted_seconds},
                    {"seconds", phase.seconds},
                    {"predicted_waiting_seconds", phase.predicted_stall_seconds},
                    {"waiting_seconds", phase.stall_seconds},
                    {"read_bytes", phase.read_bytes},
                    {"flops", phase.flops},
                    {"bytes", phase.bytes},
                    {"streamed_bytes", phase.streamed_bytes},
                    {"spilled_bytes", phase.spilled_bytes},
                    {"passes", phase.passes},
                    {"bands", phase.bands},
                    {"measures", phase.measures}});
  }
  return list;
}

ordered_json loras_json(const std::vector<LoraReport>& loras) {
  ordered_json list = ordered_json::array();
  for (const LoraReport& lora : loras) {
    list.push_back({{"name", lora.name},
                    {"weight", lora.weight},
                    {"modules", lora.modules},
                    {"unused_keys", lora.unused_keys}});
  }
  return list;
}

}  // namespace

ordered_json ways_out_json(const std::vector<WayOut>& ways) {
  ordered_json list = ordered_json::array();
  for (const WayOut& way : ways) {
    list.push_back({{"flag", way.flag},
                    {"meaning", way.meaning},
                    {"memory_bytes", way.memory_bytes},
                    {"width", way.width},
                    {"height", way.height},
                    {"precision", way.precision == DType::kBF16 ? "bf16" : "f32"},
                    {"frames", way.frames}});
  }
  return list;
}

std::string to_json(const RunReport& r) {
  ordered_json json;
  json["status"] = r.error_code.empty() ? "done" : "failed";
  json["outputs"] = r.outputs;
  json["model"] = r.model;
  json["architecture"] = r.architecture;
  json["loras"] = loras_json(r.loras);
  json["backend"] = r.backend;
  json["precision"] = r.precision;
  json["precision_reason"] = r.precision_reason.empty() ? ordered_json() : ordered_json(r.precision_reason);
  json["threads"] = r.threads > 0 ? ordered_json(r.threads) : ordered_json();
  json["sampler"] = r.sampler;
  json["width"] = r.width;
  json["height"] = r.height;
  json["steps"] = r.steps;
  json["batch"] = r.batch;
  json["guidance_scale"] = r.guidance_scale;
  json["seed"] = r.seed;
  json["tokens"] = r.tokens;
  json["dropped_tokens"] = r.dropped_tokens;
  json["seconds"] = {{"plan", r.plan_seconds},     {"load", r.load_seconds},
                     {"encode", r.encode_seconds}, {"denoise", r.denoise_seconds},
                     {"decode", r.decode_seconds}, {"write", r.write_seconds},
                     {"total", r.total_seconds},   {"turn_wait", r.turn_wait_seconds}};
  const auto seconds = [](const std::optional<double>& value) {
    return value.has_value() ? ordered_json(*value) : ordered_json();
  };
  json["time"] = {{"asked_seconds", seconds(r.asked_seconds)},
                  {"promised_seconds", seconds(r.promised_seconds)}};
  const auto number = [](const std::optional<int64_t>& value) {
    return value.has_value() ? ordered_json(*value) : ordered_json();
  };
  json["resumed"] = {{"calls", number(r.resumed_calls)}, {"frames", number(r.resumed_frames)}};
  json["step_seconds"] = r.step_seconds;
  json["read_bytes"] = r.read_bytes;
  json["written_bytes"] = r.written_bytes;
  json["budget"] = {{"bytes", r.budget_bytes}, {"limited_by", r.budget_limited_by}};
  json["changes"] = r.changes;
  json["planned"] = {{"arena_bytes", r.planned_arena_bytes},
                     {"peak_bytes", r.planned_peak_bytes},
                     {"seconds", r.predicted_seconds},
                     {"rates", r.rates}};
  json["planned"]["peak_by_kind"] = ordered_json::object();
  for (const auto& [name, bytes] : r.peak_kinds) json["planned"]["peak_by_kind"][name] = bytes;
  json["measured"] = {{"arena_bytes", r.used_arena_bytes},
                      {"peak_bytes", r.peak_bytes.has_value() ? ordered_json(*r.peak_bytes) : ordered_json()},
                      {"seconds", r.phase_seconds()}};
  json["phases"] = phases_json(r.phases);
  json["assumptions"] = r.assumptions;
  if (!r.error_code.empty()) {
    json["error"] = {{"code", r.error_code}, {"message", r.error}, {"stage", r.stage}};
    if (!r.ways_out.empty()) json["error"]["ways_out"] = ways_out_json(r.ways_out);
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace snug
