#include "jobs/run_record.h"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug {
namespace {

using nlohmann::ordered_json;
using R = RunRecord;

constexpr std::string_view kAsked = "asked", kMeasured = "measured", kPredicted = "predicted",
                           kConfigured = "configured";

constexpr std::array kColumns = {
    RecordColumn{"id", &R::id, "text", kMeasured, "the job's"},
    RecordColumn{"owner", &R::owner, "text", kAsked, "id of the token it came with; none without tokens"},
    RecordColumn{"api", &R::api, "text", kAsked, "native, openai, a1111, comfyui"},
    RecordColumn{"state", &R::state, "text", kMeasured,
                 "of the job; one that ended: done, failed, cancelled"},
    RecordColumn{"kind", &R::kind, "text", kAsked,
                 "text_to_image, image_to_image, inpainting, text_to_video, image_to_video"},
    RecordColumn{"model", &R::model, "text", kAsked, "by the name under which it was asked for"},
    RecordColumn{"architecture", &R::architecture, "text", kMeasured, "what the model's files are"},
    RecordColumn{"sampler", &R::sampler, "text", kAsked, "Snug's name of it"},
    RecordColumn{"precision", &R::precision, "text", kConfigured, "element type of activations"},
    RecordColumn{"width", &R::width, "pixels", kAsked, "of a picture"},
    RecordColumn{"height", &R::height, "pixels", kAsked, "of a picture"},
    RecordColumn{"frames", &R::frames, "1", kAsked, "1 of a picture"},
    RecordColumn{"steps", &R::steps, "1", kAsked, "of denoising"},
    RecordColumn{"pictures", &R::pictures, "1", kAsked, "of this job"},
    RecordColumn{"fps", &R::fps, "1/seconds", kAsked, "of a video"},
    RecordColumn{"guidance_scale", &R::guidance_scale, "1", kAsked, "1 is none"},
    RecordColumn{"prompt_length", &R::prompt_length, "characters", kAsked,
                 "of the prompt, which is not kept"},
    RecordColumn{"created_ms", &R::created_ms, "ms", kMeasured, "accepted, since 1970, UTC"},
    RecordColumn{"started_ms", &R::started_ms, "ms", kMeasured, "first begun"},
    RecordColumn{"finished_ms", &R::finished_ms, "ms", kMeasured, "ended, whatever way"},
    RecordColumn{"attempts", &R::attempts, "1", kMeasured, "begun"},
    RecordColumn{"cached", &R::cached, "truth", kMeasured, "answered from the result cache, without a run"},
    RecordColumn{"kept", &R::kept, "truth", kMeasured, "the run found its weights in memory"},
    RecordColumn{"error_code", &R::error_code, "text", kMeasured, "a word of errors.md"},
    RecordColumn{"error_stage", &R::error_stage, "text", kMeasured, "where it happened"},
    RecordColumn{"error_problem", &R::error_problem, "text", kMeasured, "what was wrong"},
    RecordColumn{"error_fix", &R::error_fix, "text", kMeasured, "what to do"},
    RecordColumn{"steps_done", &R::steps_done, "1", kMeasured, "of denoising"},
    RecordColumn{"batch", &R::batch, "1", kMeasured, "pictures that ran together, of all jobs"},
    RecordColumn{"threads", &R::threads, "1", kConfigured, "that computed"},
    RecordColumn{"machine", &R::machine, "text", kMeasured, "processor and instruction set"},
    RecordColumn{"backend", &R::backend, "text", kConfigured, "cpu or reference"},
    RecordColumn{"total_seconds", &R::total_seconds, "seconds", kMeasured, "from acceptance to end"},
    RecordColumn{"queue_seconds", &R::queue_seconds, "seconds", kMeasured, "waiting for its turn"},
    RecordColumn{"earlier_seconds", &R::earlier_seconds, "seconds", kMeasured,
                 "in attempts that a fault or a stop of the service ended"},
    RecordColumn{"plan_seconds", &R::plan_seconds, "seconds", kMeasured, "planning, of the last attempt"},
    RecordColumn{"load_seconds", &R::load_seconds, "seconds", kMeasured, "opening the model, first weights"},
    RecordColumn{"encode_seconds", &R::encode_seconds, "seconds", kMeasured, "prompts to conditioning"},
    RecordColumn{"denoise_seconds", &R::denoise_seconds, "seconds", kMeasured, "all steps"},
    RecordColumn{"decode_seconds", &R::decode_seconds, "seconds", kMeasured, "latents to pictures"},
    RecordColumn{"write_seconds", &R::write_seconds, "seconds", kMeasured, "pictures to files"},
    RecordColumn{"keep_seconds", &R::keep_seconds, "seconds", kMeasured,
                 "getting ready before the run, learning for previews, putting the pictures in store"},
    RecordColumn{"turn_wait_seconds", &R::turn_wait_seconds, "seconds", kMeasured,
                 "while other runs of this process computed"},
    RecordColumn{"unfinished_seconds", &R::unfinished_seconds, "seconds", kMeasured,
                 "of a run that was cut off: from its last whole stage to the end"},
    RecordColumn{"predicted_seconds", &R::predicted_seconds, "seconds", kPredicted, "of all phases"},
    RecordColumn{"phases_seconds", &R::phases_seconds, "seconds", kMeasured, "of the same"},
    RecordColumn{"predicted_waiting_seconds", &R::predicted_waiting_seconds, "seconds", kPredicted,
                 "of the phases: kernels waiting for weights"},
    RecordColumn{"waiting_seconds", &R::waiting_seconds, "seconds", kMeasured, "of the same"},
    RecordColumn{"budget_bytes", &R::budget_bytes, "bytes", kConfigured, "most that the process might hold"},
    RecordColumn{"planned_peak_bytes", &R::planned_peak_bytes, "bytes", kPredicted, "of the process"},
    RecordColumn{"peak_bytes", &R::peak_bytes, "bytes", kMeasured, "of the process, where the run was alone"},
    RecordColumn{"arena_bytes", &R::arena_bytes, "bytes", kMeasured, "of the arena, its high-water mark"},
    RecordColumn{"streamed_bytes", &R::streamed_bytes, "bytes", kPredicted,
                 "weights read again in each run of a phase, of all phases"},
    RecordColumn{"spilled_bytes", &R::spilled_bytes, "bytes", kPredicted, "activations put into a file"},
    RecordColumn{"passes", &R::passes, "1", kPredicted, "parts of the batch one after the other, at most"},
    RecordColumn{"bands", &R::bands, "1", kPredicted, "parts of an operator one after the other, at most"},
    RecordColumn{"read_bytes", &R::read_bytes, "bytes", kMeasured, "of weights, from files"},
    RecordColumn{"written_bytes", &R::written_bytes, "bytes", kMeasured, "of pictures"},
    RecordColumn{"flops", &R::flops, "1", kPredicted, "nominal work of all phases"},
    RecordColumn{"cpu_percent", &R::cpu_percent, "percent", kMeasured, "of all cores, by everybody"},
    RecordColumn{"other_cpu_percent", &R::other_cpu_percent, "percent", kMeasured, "by other programs"},
    RecordColumn{"process_cpu_seconds", &R::process_cpu_seconds, "seconds", kMeasured, "of cores, by Snug"},
    RecordColumn{"disk_read_bytes", &R::disk_read_bytes, "bytes", kMeasured, "that Snug had from a disk"},
    RecordColumn{"major_faults", &R::major_faults, "1", kMeasured, "pages fetched from a disk"},
    RecordColumn{"throttled_seconds", &R::throttled_seconds, "seconds", kMeasured,
                 "held back by a control group"},
    RecordColumn{"memory_pressure_seconds", &R::memory_pressure_seconds, "seconds", kMeasured,
                 "something on the machine waited for memory"},
    RecordColumn{"io_pressure_seconds", &R::io_pressure_seconds, "seconds", kMeasured, "for a disk"},
    RecordColumn{"cpu_pressure_seconds", &R::cpu_pressure_seconds, "seconds", kMeasured, "for a core"},
    RecordColumn{"temperature_celsius", &R::temperature_celsius, "celsius", kMeasured, "the hottest"},
    RecordColumn{"gpu_utilization_percent", &R::gpu_utilization_percent, "percent", kMeasured, "mean"},
    RecordColumn{"gpu_memory_bytes", &R::gpu_memory_bytes, "bytes", kMeasured, "highest, of all cards"},
};

template <class T>
ordered_json json_of(const T& value) {
  return ordered_json(value);
}
template <class T>
ordered_json json_of(const std::optional<T>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}
ordered_json json_of(const std::string& text) { return text.empty() ? ordered_json() : ordered_json(text); }

}  // namespace

std::span<const RecordColumn> record_columns() { return kColumns; }

ordered_json column_json(const RunRecord& record, const RecordColumn& column) {
  return std::visit([&](auto member) { return json_of(record.*member); }, column.member);
}

ordered_json record_json(const RunRecord& record) {
  ordered_json json;
  for (const RecordColumn& column : kColumns) json[std::string(column.name)] = column_json(record, column);
  return json;
}

RunRecord record_from_json(const ordered_json& json) {
  RunRecord record;
  for (const RecordColumn& column : kColumns) {
    const auto found = json.find(column.name);
    if (found == json.end() || found->is_null()) continue;
    try {
      std::visit(
          [&](auto member) {
            auto& place = record.*member;
            using T = std::remove_cvref_t<decltype(place)>;
            if constexpr (std::is_same_v<T, std::optional<int64_t>>) {
              place = found->get<int64_t>();
            } else if constexpr (std::is_same_v<T, std::optional<double>>) {
              place = found->get<double>();
            } else {
              place = found->get<T>();
            }
          },
          column.member);
    } catch (const ordered_json::exception&) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("'{}' of a record has a wrong type", column.name),
                  fmt::format("its unit is {}", column.unit));
    }
  }
  return record;
}

std::string describe_records() {
  std::string text = "| column | unit | what it is | meaning |\n|---|---|---|---|\n";
  for (const RecordColumn& column : kColumns) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", column.name, column.unit, column.basis, column.meaning);
  }
  return text;
}

}  // namespace snug
