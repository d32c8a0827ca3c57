#include "pipeline/run_report.h"

#include <nlohmann/json.hpp>

namespace snug {

std::string to_json(const RunReport& r) {
  using nlohmann::ordered_json;
  ordered_json json;
  json["status"] = r.error_code.empty() ? "done" : "failed";
  json["outputs"] = r.outputs;
  json["model"] = r.model;
  json["architecture"] = r.architecture;
  json["backend"] = r.backend;
  json["precision"] = r.precision;
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
                     {"total", r.total_seconds}};
  json["step_seconds"] = r.step_seconds;
  json["read_bytes"] = r.read_bytes;
  json["written_bytes"] = r.written_bytes;
  json["planned"] = {{"arena_bytes", r.planned_arena_bytes}, {"peak_bytes", r.planned_peak_bytes}};
  json["measured"] = {
      {"arena_bytes", r.used_arena_bytes},
      {"peak_bytes", r.peak_bytes.has_value() ? ordered_json(*r.peak_bytes) : ordered_json()}};
  json["assumptions"] = r.assumptions;
  if (!r.error_code.empty()) {
    json["error"] = {{"code", r.error_code}, {"message", r.error}, {"stage", r.stage}};
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace snug
