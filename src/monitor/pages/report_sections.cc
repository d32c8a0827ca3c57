#include "monitor/pages/report_sections.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/units.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

const ordered_json* member(const ordered_json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}
std::optional<double> number(const ordered_json& object, const char* name) {
  const ordered_json* const value = member(object, name);
  return value != nullptr && value->is_number() ? std::optional(value->get<double>()) : std::nullopt;
}
std::string text(const ordered_json& object, const char* name) {
  const ordered_json* const value = member(object, name);
  if (value == nullptr) return "-";
  return value->is_string() ? value->get<std::string>() : value->dump();
}
std::string seconds(const ordered_json& object, const char* name) {
  const auto value = number(object, name);
  return value ? format_seconds(*value) : "-";
}
std::string percent(const ordered_json& object, const char* name) {
  const auto value = number(object, name);
  return value ? fmt::format("{:.1f} %", *value * 100) : "-";
}
std::string bytes(const ordered_json& object, const char* name) {
  const auto value = number(object, name);
  return value ? format_bytes(static_cast<uint64_t>(std::max(0.0, *value))) : "-";
}

ReportSection jobs_section(const ordered_json& report) {
  const ordered_json& jobs = report.at("jobs");
  const ordered_json& totals = jobs.at("totals");
  ReportSection section{.title = "Jobs", .paragraphs = {}, .table = {}, .hours = {}};
  section.paragraphs.push_back(
      fmt::format("{} jobs ended: {} done, {} of these from the cache and {} with weights that were in "
                  "memory, {} failed, {} "
                  "cancelled; {} pictures. Success rate (done of done and failed) {}.",
                  text(totals, "ended"), text(totals, "done"), text(totals, "cached"), text(totals, "kept"),
                  text(totals, "failed"), text(totals, "cancelled"), text(totals, "pictures"),
                  percent(jobs, "success_rate")));
  if (const auto efficiency = number(report, "resource_efficiency"))
    section.paragraphs.push_back(
        fmt::format("Kernels computed in {:.0f} % of the generation time, measured.", *efficiency * 100));
  for (const ordered_json& failure : jobs.at("failures")) {
    section.paragraphs.push_back(
        fmt::format("Failed with {}: {}.", text(failure, "error_code"), text(failure, "count")));
  }
  for (const ordered_json& hour : jobs.at("per_hour")) {
    section.hours.hours_ms.push_back(hour.at("hour_ms").get<int64_t>());
    section.hours.done.push_back(hour.at("done").get<int64_t>());
    section.hours.failed.push_back(hour.at("failed").get<int64_t>());
  }
  return section;
}

ReportSection durations_section(const ordered_json& report) {
  const ordered_json& durations = report.at("durations");
  ReportSection section{.title = "Durations", .paragraphs = {}, .table = {}, .hours = {}};
  section.paragraphs.emplace_back(
      "Measured. Generation is from a job's turn to its end; of runs to the end, without answers from the "
      "cache.");
  section.table.heads = {"", "count", "mean", "p50", "p75", "p90", "p95", "p99"};
  const auto row = [&](const std::string& name, const ordered_json& of) {
    section.table.rows.push_back({name, text(of, "count"), seconds(of, "mean_seconds"),
                                  seconds(of, "p50_seconds"), seconds(of, "p75_seconds"),
                                  seconds(of, "p90_seconds"), seconds(of, "p95_seconds"),
                                  seconds(of, "p99_seconds")});
  };
  for (const char* const name : {"total", "generation", "queue"}) row(name, durations.at(name));
  return section;
}

ReportSection models_section(const ordered_json& report) {
  ReportSection section{.title = "Models and sizes", .paragraphs = {}, .table = {}, .hours = {}};
  section.table.heads = {"model", "size", "jobs", "p50", "p95", "success"};
  for (const ordered_json& group : report.at("durations").at("by_model")) {
    section.table.rows.push_back({text(group, "model"), text(group, "width") + "x" + text(group, "height"),
                                  text(group, "count"), seconds(group, "p50_seconds"),
                                  seconds(group, "p95_seconds"), percent(group, "success_rate")});
  }
  return section;
}

ReportSection stages_section(const ordered_json& report) {
  ReportSection section{.title = "Where the time went", .paragraphs = {}, .table = {}, .hours = {}};
  section.table.heads = {"stage", "runs", "mean", "p95", "share"};
  for (const ordered_json& stage : report.at("stages")) {
    section.table.rows.push_back({text(stage, "stage"), text(stage, "runs"), seconds(stage, "mean_seconds"),
                                  seconds(stage, "p95_seconds"), percent(stage, "share")});
  }
  return section;
}

ReportSection plan_section(const ordered_json& report) {
  ReportSection section{.title = "Plan and actual", .paragraphs = {}, .table = {}, .hours = {}};
  section.table.heads = {"", "runs", "measured / predicted, median", "off by at most, nine of ten"};
  for (const auto& [name, title] :
       {std::pair("seconds", "time of the phases"), std::pair("peak", "peak memory")}) {
    const ordered_json& error = report.at("plan_error").at(name);
    const auto ratio = number(error, "median_ratio");
    section.table.rows.push_back({title, text(error, "count"), ratio ? fmt::format("{:.3f}", *ratio) : "-",
                                  percent(error, "p90_abs_error")});
  }
  const ordered_json& memory = report.at("memory");
  if (number(memory, "peak_bytes"))
    section.paragraphs.push_back(fmt::format("The last run's peak was {}, {} planned, within {}.",
                                             bytes(memory, "peak_bytes"), bytes(memory, "planned_peak_bytes"),
                                             bytes(memory, "budget_bytes")));
  return section;
}

ReportSection benchmarks_section(const ordered_json& report) {
  const ordered_json& benchmarks = report.at("benchmarks");
  ReportSection section{.title = "Targets", .paragraphs = {}, .table = {}, .hours = {}};
  section.paragraphs.push_back("Basis: " + text(benchmarks, "basis") + ".");
  section.table.heads = {"use",        "model",  "size", "steps",  "planned",
                         "acceptable", "median", "runs", "verdict"};
  for (const ordered_json& target : benchmarks.at("targets")) {
    const ordered_json& current = target.at("current");
    section.table.rows.push_back({text(target, "use"), text(target, "model"), text(target, "resolution"),
                                  text(target, "steps"), seconds(target, "planned_seconds"),
                                  seconds(target, "acceptable"), seconds(current, "p50_seconds"),
                                  text(current, "count"), text(target, "verdict")});
  }
  return section;
}

ReportSection bottlenecks_section(const ordered_json& report) {
  ReportSection section{.title = "What bound the runs", .paragraphs = {}, .table = {}, .hours = {}};
  section.table.heads = {"limit", "severity", "share of the time", "runs", "finding", "what to do"};
  for (const ordered_json& found : report.at("bottlenecks")) {
    section.table.rows.push_back({text(found, "kind"), text(found, "severity"), percent(found, "share"),
                                  text(found, "runs"), text(found, "description"),
                                  text(found, "recommendation")});
  }
  return section;
}

ReportSection advice_section(const ordered_json& report) {
  ReportSection section{.title = "Advice", .paragraphs = {}, .table = {}, .hours = {}};
  section.table.heads = {"", "advice", "setting", "from", "to"};
  for (const ordered_json& item : report.at("advice")) {
    const ordered_json action =
        member(item, "action") == nullptr ? ordered_json::object() : item.at("action");
    section.table.rows.push_back({text(item, "category"), text(item, "title"), text(action, "key"),
                                  text(action, "from"), text(action, "to")});
  }
  return section;
}

ReportSection alerts_section(const ordered_json& report) {
  ReportSection section{.title = "Alerts", .paragraphs = {}, .table = {}, .hours = {}};
  section.table.heads = {"level", "what"};
  for (const ordered_json& alert : report.at("alerts")) {
    section.table.rows.push_back({text(alert, "level"), text(alert, "text")});
  }
  return section;
}

ReportSection trends_section(const ordered_json& report) {
  ReportSection section{.title = "Trends", .paragraphs = {}, .table = {}, .hours = {}};
  for (const ordered_json& trend : report.at("trends")) {
    const ordered_json* const line = member(trend, "description");
    if (line != nullptr && line->is_string()) section.paragraphs.push_back(line->get<std::string>());
  }
  return section;
}

}  // namespace

ReportDocument report_document(const ordered_json& report) {
  ReportDocument document;
  document.title = fmt::format("Snug, the last {} hours", report.at("time_window_hours").get<int64_t>());
  document.time = report.at("time").get<std::string>();
  for (const auto make :
       {jobs_section, durations_section, models_section, stages_section, plan_section, bottlenecks_section,
        trends_section, benchmarks_section, advice_section, alerts_section}) {
    ReportSection section = make(report);
    // A table without rows says nothing.
    if (section.table.rows.empty()) section.table.heads.clear();
    if (!section.paragraphs.empty() || !section.table.heads.empty())
      document.sections.push_back(std::move(section));
  }
  return document;
}

}  // namespace snug
