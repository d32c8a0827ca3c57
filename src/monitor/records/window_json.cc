#include <nlohmann/json.hpp>

#include "monitor/records/window_statistics.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

ordered_json json_of(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json counts_json(const EndCounts& counts) {
  return {{"ended", counts.ended()},       {"done", counts.done},     {"failed", counts.failed},
          {"cancelled", counts.cancelled}, {"cached", counts.cached}, {"kept", counts.kept},
          {"pictures", counts.pictures}};
}

ordered_json error_json(const PlanError& error) {
  const std::optional<Summary> ratio = error.ratio.summary(), size = error.error.summary();
  return {{"count", ratio ? ratio->count : 0},
          {"median_ratio", ratio ? ordered_json(ratio->p50) : ordered_json()},
          {"p90_abs_error", size ? ordered_json(size->p90) : ordered_json()},
          {"method", error.ratio.method()}};
}

ordered_json hours_json(const WindowStatistics& statistics) {
  ordered_json hours = ordered_json::array();
  for (const HourStatistics& hour : statistics.hours()) {
    ordered_json entry = {{"hour_ms", hour.hour_ms}};
    entry.update(counts_json(hour.counts));
    entry["mean_generation_seconds"] =
        hour.counts.runs() > 0
            ? ordered_json(hour.generation_seconds / static_cast<double>(hour.counts.runs()))
            : ordered_json();
    hours.push_back(std::move(entry));
  }
  return hours;
}

ordered_json groups_json(const WindowStatistics& statistics) {
  ordered_json groups = ordered_json::array();
  for (const GroupStatistics& group : statistics.groups()) {
    ordered_json entry = {{"model", group.model}, {"width", group.width}, {"height", group.height}};
    entry.update(counts_json(group.counts));
    entry["success_rate"] = json_of(group.counts.success_rate());
    entry["generation"] = distribution_json(group.generation, "seconds");
    groups.push_back(std::move(entry));
  }
  return groups;
}

ordered_json stages_json(const WindowStatistics& statistics) {
  ordered_json stages = ordered_json::array();
  for (const StageStatistics& stage : statistics.stages()) {
    ordered_json entry = {
        {"stage", stage.stage}, {"seconds", stage.seconds}, {"share", json_of(stage.share)}};
    entry.update(distribution_json(stage.distribution, "seconds"));
    stages.push_back(std::move(entry));
  }
  return stages;
}

}  // namespace

ordered_json to_json(const WindowStatistics& statistics) {
  ordered_json failures = ordered_json::array();
  for (const auto& [code, count] : statistics.failures())
    failures.push_back(
        {{"error_code", code.empty() ? ordered_json() : ordered_json(code)}, {"count", count}});
  const EndCounts& counts = statistics.counts();
  return {
      {"from_ms", statistics.from_ms()},
      {"to_ms", statistics.to_ms()},
      {"totals", counts_json(counts)},
      {"success_rate", json_of(counts.success_rate())},
      {"cache_rate", json_of(counts.cache_rate())},
      {"kept_rate", json_of(counts.kept_rate())},
      {"failures", std::move(failures)},
      {"total", distribution_json(statistics.total(), "seconds")},
      {"generation", distribution_json(statistics.generation(), "seconds")},
      {"queue", distribution_json(statistics.queue(), "seconds")},
      {"stages", stages_json(statistics)},
      {"per_hour", hours_json(statistics)},
      {"by_model", groups_json(statistics)},
      {"plan_error",
       {{"seconds", error_json(statistics.seconds_error())}, {"peak", error_json(statistics.peak_error())}}}};
}

}  // namespace snug
