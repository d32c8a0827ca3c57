#include "bench/memory_runs.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/stopwatch.h"
#include "bench/sampling.h"
#include "media/decode_picture.h"
#include "pipeline/make_plan.h"
#include "pipeline/rates_file.h"
#include "pipeline/validate_request.h"

namespace snug::bench {
namespace {

using nlohmann::json;

constexpr const char* kPrompt = "a lighthouse on a cliff at dawn";
constexpr const char* kTooSmall = "50MiB";

std::vector<std::string> request_arguments(const char* command, const Work& work, const Setting& setting) {
  std::vector<std::string> arguments = {command,
                                        kPrompt,
                                        "--json",
                                        "--model",
                                        work.model,
                                        "--steps",
                                        std::to_string(work.steps),
                                        "--seed",
                                        "1",
                                        "--precision",
                                        "f32",
                                        "--size",
                                        fmt::format("{}x{}", work.width, work.height),
                                        "--output",
                                        work.picture};
  if (setting.budget_bytes.has_value()) {
    arguments.insert(arguments.end(), {"--memory", fmt::format("{}B", *setting.budget_bytes)});
  }
  if (setting.direct_reads) arguments.emplace_back("--direct-reads");
  return arguments;
}

[[noreturn]] void fail(const char* what, const testing::ProgramResult& result) {
  throw Error(ErrorCode::kInternal,
              fmt::format("{} ended with {}: {}{}", what, result.exit_code, result.err, result.out),
              "run it by hand");
}

json json_of(const testing::ProgramResult& result, const char* what) {
  json parsed = json::parse(result.out, nullptr, false);
  if (!parsed.is_object()) fail(what, result);
  return parsed;
}

// FNV-1a of the decoded pixels: files may differ in their metadata.
void read_picture(const std::string& path, Sample& sample) {
  constexpr uint64_t kBasis = 0xcbf29ce484222325U, kPrime = 0x100000001b3U;
  const Picture picture = decode_picture(*open_file(path));
  sample.picture_hash = kBasis ^ static_cast<uint64_t>(picture.width);
  for (const uint8_t value : picture.rgb) sample.picture_hash = (sample.picture_hash ^ value) * kPrime;
  const auto [least, most] = std::minmax_element(picture.rgb.begin(), picture.rgb.end());
  sample.flat = picture.rgb.empty() || *least == *most;
}

template <typename Value>
double median_over(const std::vector<Sample>& samples, Value value) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(value(sample));
  return median_of(std::move(values));
}

}  // namespace

bool Row::ran() const {
  return !samples.empty() && std::all_of(samples.begin(), samples.end(),
                                         [](const Sample& sample) { return sample.error_code.empty(); });
}

double Row::step_seconds() const {
  std::vector<double> later;
  for (const Sample& sample : samples) {
    const size_t skipped = sample.step_seconds.size() > 1 ? 1 : 0;
    later.insert(later.end(), sample.step_seconds.begin() + static_cast<std::ptrdiff_t>(skipped),
                 sample.step_seconds.end());
  }
  return median_of(std::move(later));
}

double Row::first_step_seconds() const {
  return median_over(
      samples, [](const Sample& sample) { return sample.step_seconds.empty() ? 0 : sample.step_seconds[0]; });
}

double Row::decode_seconds() const {
  return median_over(samples, [](const Sample& sample) { return sample.decode_seconds; });
}

double Row::seconds() const {
  return median_over(samples, [](const Sample& sample) { return sample.seconds; });
}

double Row::predicted_seconds() const {
  return median_over(samples, [](const Sample& sample) { return sample.predicted_seconds; });
}

testing::ProgramResult run_snug(const std::vector<std::string>& arguments) {
  testing::ProgramOptions options;
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "TMPDIR", "SNUG_ISA"}) {
    if (const char* value = std::getenv(name)) options.environment[name] = value;
  }
  return testing::run_program(arguments, options);
}

Sample run_generate(const Work& work, const Setting& setting) {
  const auto result = run_snug(request_arguments("generate", work, setting));
  Sample sample;
  sample.peak_bytes = result.peak_bytes;
  const json report = json::parse(result.out, nullptr, false);
  if (report.is_object()) sample.report_json = report.dump();
  if (result.exit_code != 0 || !report.is_object()) {
    const json error = report.is_object() ? report.value("error", json::object()) : json::object();
    sample.error_code = error.value("code", fmt::format("exit code {}", result.exit_code));
    sample.error = error.value("message", result.err);
    return sample;
  }
  sample.budget_bytes = report.at("budget").at("bytes");
  sample.planned_peak_bytes = report.at("planned").at("peak_bytes");
  const json& peak = report.at("measured").at("peak_bytes");
  if (!peak.is_null()) sample.reported_peak_bytes = peak.get<uint64_t>();
  sample.step_seconds = report.at("step_seconds").get<std::vector<double>>();
  sample.decode_seconds = report.at("seconds").at("decode");
  sample.rates = report.at("planned").at("rates");
  sample.predicted_seconds = report.at("planned").at("seconds");
  sample.seconds = report.at("measured").at("seconds");
  read_picture(work.picture, sample);
  std::error_code ignored;
  std::filesystem::remove(work.picture, ignored);
  return sample;
}

PlanFacts run_plan(const Work& work, const Setting& setting) {
  const auto result = run_snug(request_arguments("plan", work, setting));
  const json answer = json_of(result, "snug plan");
  PlanFacts facts;
  if (result.exit_code == error_info(ErrorCode::kOverBudget).exit_code) return facts;
  if (result.exit_code != 0) fail("snug plan", result);
  for (const json& phase : answer.at("phases")) {
    facts.most_bands = std::max(facts.most_bands, phase.at("bands").at("most").get<int>());
    facts.banded += phase.at("bands").at("operators").get<int>();
    facts.sliced += phase.at("slices").at("operators").get<int>();
    if (phase.at("name") != "step") continue;
    facts.passes = phase.at("passes");
    const auto passes = static_cast<uint64_t>(facts.passes);
    facts.streamed_bytes = phase.at("weights").at("streamed_bytes").get<uint64_t>() * passes;
    facts.spilled_bytes = phase.at("spilled_bytes_per_run").get<uint64_t>() * passes;
    const json& seconds = phase.at("seconds");
    const json& run = seconds.at("later_run").is_null() ? seconds.at("first_run") : seconds.at("later_run");
    facts.step_seconds = run.get<double>() * facts.passes;
  }
  return facts;
}

uint64_t smallest_budget_bytes(const Work& work) {
  std::vector<std::string> arguments = request_arguments("plan", work, {});
  arguments.insert(arguments.end(), {"--memory", kTooSmall});
  const auto result = run_snug(arguments);
  const json answer = json_of(result, "snug plan");
  const json error = answer.value("error", json::object());
  if (!error.contains("smallest_budget_bytes")) fail("snug plan --memory 50MiB", result);
  return error.at("smallest_budget_bytes");
}

std::vector<TimePoint> run_curve(const Work& work) {
  std::vector<std::string> arguments = request_arguments("plan", work, {});
  arguments.emplace_back("--curve");
  const auto result = run_snug(arguments);
  if (result.exit_code != 0) fail("snug plan --curve", result);
  std::vector<TimePoint> points;
  const json answer = json_of(result, "snug plan --curve");
  for (const json& row : answer.at("curve")) {
    points.push_back({row.at("budget_bytes"), row.at("step_seconds"), row.at("seconds"), false});
  }
  return points;
}

void time_planning(const Work& work, Row& row, int repeats) {
  const Setting& setting = row.setting;
  RequestFields fields;
  fields.manifest = SNUG_SOURCE_DIR "/tests/fixtures/manifests/sd15";
  fields.prompt = kPrompt;
  fields.width = work.width;
  fields.height = work.height;
  fields.steps = work.steps;
  fields.seed = 1;
  fields.precision = "f32";
  fields.output = work.picture;
  fields.direct_reads = setting.direct_reads;
  if (setting.budget_bytes.has_value()) fields.memory = fmt::format("{}B", *setting.budget_bytes);
  const auto model = open_model(fields);
  const Request request = validate_request(fields, *model, cpu_backend());
  const Rates rates = rates_of_machine(cpu_backend());
  for (int i = 0; i <= repeats; ++i) {  // the first warms up
    const Stopwatch watch;
    const double core_begin = now_seconds(Clock::kProcessor);
    const PlanAttempt attempt = try_plan(request, *model, cpu_backend(), rates);
    if (i == 0) continue;
    row.plan_seconds.push_back(watch.seconds());
    row.plan_core_seconds.push_back(now_seconds(Clock::kProcessor) - core_begin);
  }
}

}  // namespace snug::bench
