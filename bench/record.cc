#include "bench/record.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <span>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "base/machine_memory.h"
#include "base/parallel.h"
#include "base/process_memory.h"
#include "base/processor.h"
#include "base/version.h"
#include "bench/sampling.h"
#include "media/atomic_file.h"
#include "tests/program.h"

namespace snug::bench {
namespace {

using nlohmann::ordered_json;

constexpr double kBusyLoad = 0.5;

std::string git(const std::vector<std::string>& arguments) {
  testing::ProgramOptions options;
  options.program = "/usr/bin/git";
  options.folder = SNUG_SOURCE_DIR;
  const auto result = testing::run_program(arguments, options);
  return result.exit_code == 0 ? result.out.substr(0, result.out.find_last_not_of('\n') + 1) : "";
}

std::string date(const char* form) {
  return fmt::format(fmt::runtime(form), fmt::gmtime(std::time(nullptr)));
}

template <typename Value>
ordered_json known(const std::optional<Value>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}

ordered_json measurement_json(const Measurement& measurement, const std::optional<Limits>& limits) {
  const auto& samples = measurement.samples;
  ordered_json json = {{"name", measurement.name},
                       {"dtype", dtype_word(measurement.dtype)},
                       {"threads", measurement.threads},
                       {"count", measurement.count},
                       {"warm_ups", measurement.warm_ups},
                       {"samples_seconds", samples},
                       {"median_seconds", median_of(samples)},
                       {"p95_seconds", quantile_of(samples, 0.95)},
                       {"min_seconds", least_of(samples)},
                       {"held_bytes", known(measurement.held_bytes)},
                       {"nominal_flops", measurement.flops},
                       {"nominal_bytes", measurement.bytes}};
  const auto bound = limits ? measurement.bound(*limits) : std::nullopt;
  json["limit"] = bound ? ordered_json(bound->limit) : ordered_json();
  json["share_of_limit"] = limits ? known(measurement.share_of_limit(*limits)) : ordered_json();
  json.update(measurement.more);
  return json;
}

ordered_json run_json(const std::string& benchmark) {
  const std::string commit = git({"rev-parse", "HEAD"});
  const std::string changed = git({"status", "--porcelain", "--untracked-files=no"});
  return {{"benchmark", benchmark},
          {"version", kVersion},
          {"commit", commit.empty() ? ordered_json() : ordered_json(commit)},
          {"commit_with_changes", !changed.empty()},
          {"date", date("{:%Y-%m-%dT%H:%M:%SZ}")}};
}

ordered_json machine_json(std::optional<double> load_average) {
  const Processor own = processor();
  ordered_json backend;
  for (const auto& [name, value] : cpu_backend().describe()) backend[name] = value;
  return {{"processor", own.model},
          {"features", own.features},
          {"instruction_set", isa_name(used_isa())},
          {"backend", backend},
          {"threads", thread_count()},
          {"usable_cores", usable_cores()},
          {"memory_bytes", known(machine_memory().total_bytes)},
          {"load_average_before", known(load_average)}};
}

}  // namespace

std::string dtype_word(DType dtype) { return dtype == DType::kBF16 ? "bf16" : "f32"; }

double Measurement::median_seconds() const { return median_of(samples); }

std::optional<Bound> Measurement::bound(const Limits& limits) const {
  if (flops == 0 && bytes == 0) return std::nullopt;
  return bound_of(flops, bytes, dtype, limits);
}

std::optional<double> Measurement::share_of_limit(const Limits& limits) const {
  const auto found = bound(limits);
  if (!found || samples.empty()) return std::nullopt;
  return found->seconds / median_seconds();
}

ordered_json record_json(const Record& record) {
  ordered_json json = run_json(record.benchmark);
  json["machine"] = machine_json(record.load_average);
  json["limits"] = record.limits ? limits_json(*record.limits) : ordered_json();
  json["settings"] = record.settings;
  json["peak_bytes"] = process_memory().peak_bytes;
  json["results"] = ordered_json::array();
  for (const Measurement& each : record.results) {
    json["results"].push_back(measurement_json(each, record.limits));
  }
  json["targets"] = targets_json(record.targets);
  return json;
}

void write_json(const std::string& path, const ordered_json& json) {
  const std::string text = json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

std::optional<double> load_average(const std::string& program) {
  double load = 0;
  if (::getloadavg(&load, 1) != 1) return std::nullopt;
  if (load > kBusyLoad) {
    std::fprintf(stderr, "%s: the machine is busy (load %.1f): times below are of little use\n",
                 program.c_str(), load);
  }
  return load;
}

std::string machine_line() {
  const std::string commit = git({"rev-parse", "--short", "HEAD"});
  return fmt::format("{}, {}, {} threads of {} cores, commit {}, {}", processor().model, isa_name(used_isa()),
                     thread_count(), usable_cores(), commit.empty() ? "unknown" : commit,
                     date("{:%Y-%m-%d}"));
}

}  // namespace snug::bench
