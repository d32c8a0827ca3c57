#include "monitor/pages/task_records.h"

#include <array>

#include <fmt/format.h>

#include "monitor/exports/csv.h"
#include "monitor/pages/page_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 17> kColumns = {
    "task_id",
    "model_type",
    "resolution",
    "steps",
    "start_time",
    "end_time",
    "generation_time_seconds",
    "model_load_time_seconds",
    "peak_vram_usage_mb",
    "average_vram_usage_mb",
    "peak_ram_usage_mb",
    "average_cpu_usage_percent",
    "optimizations_applied",
    "quantization_used",
    "offload_used",
    "success",
    "error_category",
};

ordered_json error_category(const RunRecord& record) {
  if (!record.error_code.empty()) return record.error_code;
  return record.state == "cancelled" ? ordered_json("cancelled") : ordered_json();
}

// The element type that it ran in, where that is narrower than F32.
ordered_json quantization(const RunRecord& record) {
  return record.precision.empty() || record.precision == "f32" ? ordered_json()
                                                               : ordered_json(record.precision);
}

ordered_json offload(const RunRecord& record) {
  if (!record.streamed_bytes.has_value() && !record.spilled_bytes.has_value()) return {};
  return record.streamed_bytes.value_or(0) > 0 || record.spilled_bytes.value_or(0) > 0;
}

std::string cell(const ordered_json& value) {
  if (value.is_null()) return {};
  std::string text;
  if (value.is_array()) {
    for (const ordered_json& word : value) text += (text.empty() ? "" : " ") + word.get<std::string>();
  } else {
    text = value.is_string() ? value.get<std::string>() : value.dump();
  }
  std::string quoted;
  append_csv_field(text, quoted);
  return quoted;
}

}  // namespace

std::span<const std::string_view> task_columns() { return kColumns; }

std::optional<std::vector<std::string_view>> measures_of(const RunRecord& record) {
  if (!record.bands.has_value() && !record.streamed_bytes.has_value()) return std::nullopt;
  std::vector<std::string_view> measures;
  if (record.bands.value_or(1) > 1 || record.passes.value_or(1) > 1) measures.emplace_back("split");
  if (record.streamed_bytes.value_or(0) > 0) measures.emplace_back("streamed");
  if (record.spilled_bytes.value_or(0) > 0) measures.emplace_back("spilled");
  return measures;
}

std::optional<double> generation_seconds(const RunRecord& record) {
  if (record.cached || !record.started_ms || !record.total_seconds) return std::nullopt;
  return *record.total_seconds - record.queue_seconds.value_or(0);
}

ordered_json task_json(const RunRecord& record) {
  const auto measures = measures_of(record);
  ordered_json json;
  json["task_id"] = record.id;
  json["model_type"] = or_null(record.architecture);
  json["resolution"] = fmt::format("{}x{}", record.width, record.height);
  json["steps"] = record.steps;
  json["start_time"] = page_time_json(record.started_ms);
  json["end_time"] = page_time_json(record.finished_ms);
  json["generation_time_seconds"] = or_null(generation_seconds(record));
  json["model_load_time_seconds"] = or_null(record.load_seconds);
  json["peak_vram_usage_mb"] = mb_json(record.gpu_memory_bytes);
  // Only the highest is kept of a run.
  json["average_vram_usage_mb"] = nullptr;
  json["peak_ram_usage_mb"] = mb_json(record.peak_bytes);
  json["average_cpu_usage_percent"] = or_null(record.cpu_percent);
  json["optimizations_applied"] = measures.has_value() ? ordered_json(*measures) : ordered_json();
  json["quantization_used"] = quantization(record);
  json["offload_used"] = offload(record);
  json["success"] = record.state == "done";
  json["error_category"] = error_category(record);
  return json;
}

std::string tasks_csv(const ordered_json& tasks) {
  std::string text = fmt::format("{}\r\n", fmt::join(kColumns, ","));
  for (const ordered_json& task : tasks) {
    for (size_t i = 0; i < kColumns.size(); ++i) {
      text += fmt::format("{}{}", i == 0 ? "" : ",", cell(task.at(std::string(kColumns[i]))));
    }
    text += "\r\n";
  }
  return text;
}

}  // namespace snug
