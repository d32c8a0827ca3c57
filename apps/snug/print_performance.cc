#include "apps/snug/print_performance.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "apps/snug/print_error.h"
#include "base/units.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

constexpr size_t kNameColumns = 9, kFigureColumns = 38;
constexpr double kMebibyte = 1 << 20;

std::optional<double> number(const ordered_json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}
std::string text(const ordered_json& value) {
  return value.is_string() ? printable(value.get<std::string>()) : "-";
}
std::string percent(std::optional<double> value) { return value ? fmt::format("{:.0f} %", *value) : "-"; }
std::string share(std::optional<double> value) {
  return percent(value ? std::optional(*value * 100) : value);
}
std::string seconds(std::optional<double> value) { return value ? format_seconds(*value) : "-"; }
std::string megabytes(std::optional<double> value) {
  return value ? format_bytes(static_cast<uint64_t>(std::max(0.0, *value) * kMebibyte)) : "-";
}

std::string bar(std::optional<double> part, size_t columns) {
  const size_t filled =
      part ? static_cast<size_t>(std::lround(std::clamp(*part, 0.0, 1.0) * static_cast<double>(columns))) : 0;
  return "[" + std::string(filled, '#') + std::string(columns - filled, part ? '.' : ' ') + "]";
}
std::optional<double> part_of(std::optional<double> part, std::optional<double> rest) {
  return part && rest && *part + *rest > 0 ? std::optional(*part / (*part + *rest)) : std::nullopt;
}

std::string machine_line(std::string_view name, std::optional<double> part, const std::string& figure,
                         size_t columns) {
  const size_t cells = std::clamp<size_t>(columns > 60 ? columns - 50 : 10, 10, 40);
  return fmt::format("{:<{}}{} {:<{}}", name, kNameColumns, bar(part, cells), figure, kFigureColumns);
}

std::string trimmed_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// "2026-11-29 19:15:50", of RFC 3339.
std::string short_time(const ordered_json& value) {
  if (!value.is_string()) return "-";
  std::string time = value.get<std::string>().substr(0, 19);
  std::replace(time.begin(), time.end(), 'T', ' ');
  return time;
}

std::string measures(const ordered_json& value) {
  if (!value.is_array()) return "-";
  std::string words;
  for (const ordered_json& word : value) words += (words.empty() ? "" : " ") + text(word);
  return words;
}

// "8/20, about 4.2 s left"
std::string progress(const ordered_json& job) {
  std::string line = fmt::format("{}/{} steps", job["step"].get<int64_t>(), job["steps"].get<int64_t>());
  if (const auto left = number(job, "seconds_left"))
    line += fmt::format(", about {} left", format_seconds(*left));
  return line;
}

}  // namespace

std::string cut(const std::string& text, size_t columns) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
    if (begins && characters++ == columns) return text.substr(0, i);
  }
  return text;
}

std::vector<std::string> machine_lines(const ordered_json& status, size_t columns) {
  const auto cpu = number(status, "cpu_usage_percent"), used = number(status, "ram_usage_mb"),
             available = number(status, "ram_available_mb"), disk = number(status, "disk_usage_percent"),
             gpu = number(status, "gpu_usage_percent"), vram = number(status, "vram_usage_mb"),
             vram_available = number(status, "vram_available_mb"),
             celsius = number(status, "temperature_celsius");
  const auto hundredth = [](std::optional<double> value) {
    return value ? std::optional(*value / 100) : value;
  };
  std::vector<std::string> lines = {
      machine_line("cpu", hundredth(cpu),
                   percent(cpu) + (celsius ? fmt::format(", {:.0f} degrees Celsius", *celsius) : ""),
                   columns),
      machine_line("memory", part_of(used, available),
                   fmt::format("{} used, {} available", megabytes(used), megabytes(available)), columns),
      machine_line("disk", hundredth(disk), percent(disk), columns)};
  const ordered_json& has_gpu = status["gpu_available"];
  if (has_gpu.is_boolean() && has_gpu.get<bool>()) {
    lines.push_back(machine_line("gpu", hundredth(gpu), percent(gpu), columns));
    lines.push_back(machine_line(
        "gpu mem", part_of(vram, vram_available),
        fmt::format("{} used, {} available", megabytes(vram), megabytes(vram_available)), columns));
  }
  for (std::string& line : lines) line = trimmed_end(std::move(line));
  return lines;
}

std::vector<std::string> queue_lines(const ordered_json& status) {
  const ordered_json& queue = status["queue"];
  std::string line = fmt::format("queue    {} queued, {} planned, {} running", queue["queued"].get<int64_t>(),
                                 queue["planned"].get<int64_t>(), queue["running"].get<int64_t>());
  if (const auto wait = number(queue, "wait_seconds"); wait && *wait > 0)
    line += fmt::format("; a new job begins in about {}", format_seconds(*wait));
  const ordered_json& jobs = status["jobs"];
  const ordered_json& totals = jobs["totals"];
  return {line, fmt::format("{:<9}{} done ({} from the cache), {} failed, {} cancelled; success {}",
                            fmt::format("last {}h", status["time_window_hours"].get<int64_t>()),
                            totals["done"].get<int64_t>(), totals["cached"].get<int64_t>(),
                            totals["failed"].get<int64_t>(), totals["cancelled"].get<int64_t>(),
                            share(number(jobs, "success_rate")))};
}

std::vector<std::string> active_lines(const ordered_json& status) {
  std::vector<std::string> lines;
  for (const ordered_json& job : status["active"]) {
    const auto steps = number(job, "steps"), step = number(job, "step");
    const auto part = steps && step && *steps > 0 ? std::optional(*step / *steps) : std::nullopt;
    const std::string size = job["width"].is_number() ? fmt::format(" {}x{}", job["width"].get<int64_t>(),
                                                                    job["height"].get<int64_t>())
                                                      : "";
    lines.push_back(fmt::format("{} {} {} {}{}", text(job["id"]), bar(part, 12), progress(job),
                                text(job["model"]), size));
  }
  return lines;
}

std::vector<std::string> alert_lines(const ordered_json& status) {
  std::vector<std::string> lines;
  for (const ordered_json& alert : status["alerts"]) {
    lines.push_back(fmt::format("{}: {}", text(alert.value("level", ordered_json())),
                                text(alert.value("text", ordered_json()))));
  }
  return lines;
}

std::vector<std::string> task_lines(const ordered_json& records) {
  constexpr const char* kRow = "{:<19}  {:>9}  {:>9}  {:<9}  {:>5}  {:<9}  {:<26}  {}";
  std::vector<std::string> lines;
  lines.push_back(
      fmt::format(kRow, "ended (UTC)", "took", "peak", "size", "steps", "state", "job", "model, measures"));
  for (const ordered_json& task : records) {
    const bool done = task["success"].get<bool>();
    lines.push_back(trimmed_end(fmt::format(
        kRow, short_time(task["end_time"]), seconds(number(task, "generation_time_seconds")),
        megabytes(number(task, "peak_ram_usage_mb")), text(task["resolution"]), task["steps"].get<int64_t>(),
        done ? "done" : text(task["error_category"]), text(task["task_id"]),
        text(task["model_type"]) + " " + measures(task["optimizations_applied"]))));
  }
  return lines;
}

std::string status_line(const ordered_json& status) {
  const ordered_json& word = status["status"];
  if (!word.is_object()) return "status   not known: no service has watched the machine in the last minutes";
  std::string line = "status   " + text(word["word"]);
  for (const ordered_json& reason : word["reasons"]) line += "; " + text(reason);
  return line;
}

std::string one_line(const ordered_json& status) {
  const ordered_json& queue = status["queue"];
  std::string line = fmt::format(
      "{} cpu {}, memory {} used, {} available, {} queued, {} running", text(status["timestamp"]),
      percent(number(status, "cpu_usage_percent")), megabytes(number(status, "ram_usage_mb")),
      megabytes(number(status, "ram_available_mb")),
      queue["queued"].get<int64_t>() + queue["planned"].get<int64_t>(), queue["running"].get<int64_t>());
  for (const ordered_json& job : status["active"]) {
    if (job["state"] == "running") line += fmt::format("; {} {}", text(job["id"]), progress(job));
  }
  if (!status["alerts"].empty()) line += fmt::format("; {} alerts", status["alerts"].size());
  return line;
}

}  // namespace snug::cli
