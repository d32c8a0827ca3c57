#include "bench/memory_record.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "base/units.h"
#include "bench/record.h"
#include "bench/sampling.h"

namespace snug::bench {
namespace {

using nlohmann::ordered_json;

ordered_json known(std::optional<double> value) { return value ? ordered_json(*value) : ordered_json(); }

// Issue 4's targets, for SD1.5 at 512x512 in f32.
constexpr uint64_t kMostSmallestBytes = 600 * kMiB;
constexpr uint64_t kComparedBytes = kGiB;
constexpr double kMostCachedRatio = 1.08, kMostDirectRatio = 1.25;
constexpr double kLeastDirectRate = 1e9;
constexpr double kMostError = 0.15;
constexpr double kMostPlanSeconds = 0.05;

const Row* unconstrained(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    if (!row.setting.budget_bytes && !row.setting.direct_reads && row.ran()) return &row;
  }
  return nullptr;
}

double error_of(const Sample& sample) {
  return sample.seconds > 0 ? sample.predicted_seconds / sample.seconds - 1 : 0;
}

Target step_target(const std::vector<Row>& rows, bool direct_reads, double most) {
  Target result{Met::kNotApplicable,
                fmt::format("a step at 1 GiB {} takes at most {:.2f} of the unconstrained one",
                            direct_reads ? "with direct reads" : "from the page cache", most),
                "one of the two did not run"};
  const Row* const base = unconstrained(rows);
  for (const Row& row : rows) {
    if (row.setting.budget_bytes != kComparedBytes || row.setting.direct_reads != direct_reads) continue;
    if (base == nullptr || !row.ran()) continue;
    const double ratio = row.step_seconds() / base->step_seconds();
    result = target(result.name, ratio <= most, fmt::format("{:.3f}", ratio));
  }
  return result;
}

Target direct_target(const Measurements& measurements) {
  Target result = step_target(measurements.rows, true, kMostDirectRatio);
  const auto rate = measurements.direct_read_bytes;
  if (rate.has_value() && *rate >= kLeastDirectRate) {
    result.found += fmt::format(", the disk gives {:.2f} GB/s", *rate / 1e9);
    return result;
  }
  result.met = Met::kNotApplicable;
  result.found +=
      rate.has_value()
          ? fmt::format("; meant for a disk that gives 1 GB/s or more, this one gives {:.2f}", *rate / 1e9)
          : "; this file system does not read past the page cache";
  return result;
}

Target peak_target(const std::vector<Row>& rows) {
  int runs = 0, broken = 0;
  double closest = 1e18;  // bytes between measured and planned
  for (const Row& row : rows) {
    for (const Sample& sample : row.samples) {
      if (!sample.error_code.empty()) continue;
      ++runs;
      const uint64_t peak = std::max(sample.peak_bytes, sample.reported_peak_bytes.value_or(0));
      if (peak > sample.planned_peak_bytes || sample.planned_peak_bytes > sample.budget_bytes) ++broken;
      closest = std::min(closest, static_cast<double>(sample.planned_peak_bytes) - static_cast<double>(peak));
    }
  }
  const char* const name = "measured peak <= planned peak <= budget in every run";
  if (runs == 0) return {Met::kNotApplicable, name, "nothing ran"};
  return target(name, broken == 0,
                fmt::format("{} of {} runs; closest to its plan: {:.1f} MiB below", runs - broken, runs,
                            closest / static_cast<double>(kMiB)));
}

Target prediction_target(const std::vector<Row>& rows) {
  std::vector<double> errors;
  std::set<std::string> rates;
  for (const Row& row : rows) {
    for (const Sample& sample : row.samples) {
      if (!sample.error_code.empty()) continue;
      errors.push_back(std::abs(error_of(sample)));
      rates.insert(sample.rates);
    }
  }
  const char* const name = "predicted total time is off by at most 15 %, median";
  if (errors.empty()) return {Met::kNotApplicable, name, "nothing ran"};
  const double worst = *std::max_element(errors.begin(), errors.end());
  const double median = median_of(errors);
  return target(name, median <= kMostError,
                fmt::format("{:.1f} %, worst {:.1f} %, {} rates", 100 * median, 100 * worst,
                            fmt::join(rates, " and ")));
}

Target picture_target(const std::vector<Row>& rows) {
  std::set<uint64_t> hashes;
  int runs = 0;
  bool flat = false;
  for (const Row& row : rows) {
    for (const Sample& sample : row.samples) {
      if (!sample.error_code.empty()) continue;
      ++runs;
      hashes.insert(sample.picture_hash);
      flat = flat || sample.flat;
    }
  }
  const char* const name = "one picture";
  if (runs < 2) return {Met::kNotApplicable, name, "fewer than two runs"};
  return target(name, hashes.size() == 1 && !flat,
                fmt::format("{} different in {} runs{}", hashes.size(), runs,
                            flat ? "; a picture of one colour proves nothing" : ""));
}

Target planning_target(const std::vector<Row>& rows) {
  double worst = 0, worst_core = 0;
  for (const Row& row : rows) {
    worst = std::max(worst, median_of(row.plan_seconds));
    worst_core = std::max(worst_core, median_of(row.plan_core_seconds));
  }
  const char* const name = "planning takes less than 50 ms, median, under every budget";
  if (worst == 0) return {Met::kNotApplicable, name, "not measured"};
  return target(name, worst < kMostPlanSeconds,
                fmt::format("slowest {:.1f} ms, {:.1f} ms of a core", worst * 1e3, worst_core * 1e3));
}

Target failure_target(const std::vector<Row>& rows) {
  std::string failed;
  size_t runs = 0;
  for (const Row& row : rows) {
    runs += row.samples.size();
    // Below the smallest budget a refusal is right.
    if (row.samples.empty() || row.ran() || (row.refused() && !row.setting.smallest)) continue;
    failed += (failed.empty() ? "" : "; ") + row.setting.name;
  }
  const char* const name = "every budget from the smallest up runs";
  if (runs == 0) return {Met::kNotApplicable, name, "nothing ran"};
  return target(name, failed.empty(), failed.empty() ? "all" : "failed: " + failed);
}

std::string row_line(const Row& row, const Row* base) {
  const double plan_ms = median_of(row.plan_seconds) * 1e3;
  if (!row.ran()) {
    const Sample none;
    const Sample& first = row.samples.empty() ? none : row.samples.front();
    return fmt::format("{:<24} {}\n", row.setting.name,
                       row.samples.empty() ? fmt::format("planned in {:.1f} ms; not run", plan_ms)
                       : row.refused()     ? "refused: over budget"
                                           : first.error_code + ": " + first.error);
  }
  const auto mib = [](uint64_t bytes) { return static_cast<double>(bytes) / static_cast<double>(kMiB); };
  uint64_t planned = 0, waited = 0, reported = 0;
  for (const Sample& sample : row.samples) {
    planned = std::max(planned, sample.planned_peak_bytes);
    waited = std::max(waited, sample.peak_bytes);
    reported = std::max(reported, sample.reported_peak_bytes.value_or(0));
  }
  const double error = row.seconds() > 0 ? row.predicted_seconds() / row.seconds() - 1 : 0;
  return fmt::format(
      "{:<24} {:>8.1f} {:>8.1f} {:>8.1f} {:>8.3f} {:>7} {:>8.3f} {:>8.3f} {:>8.2f} {:>8.2f} {:>+7.1f} "
      "{:>8.0f} {:>6} {:>6} {:>8.1f}  {:016x}\n",
      row.setting.name, mib(planned), mib(waited), mib(reported), row.step_seconds(),
      base == nullptr ? "-" : fmt::format("{:.3f}", row.step_seconds() / base->step_seconds()),
      row.first_step_seconds(), row.decode_seconds(), row.predicted_seconds(), row.seconds(), 100 * error,
      mib(row.plan.streamed_bytes), row.plan.most_bands, row.plan.passes, plan_ms,
      row.samples.front().picture_hash);
}

ordered_json sample_json(const Sample& sample) {
  ordered_json json = {
      {"peak_bytes_by_wait4", sample.peak_bytes},
      {"picture_hash", fmt::format("{:016x}", sample.picture_hash)},
      {"report", sample.report_json.empty() ? ordered_json() : ordered_json::parse(sample.report_json)}};
  if (!sample.error_code.empty()) json["error"] = {{"code", sample.error_code}, {"message", sample.error}};
  return json;
}

ordered_json row_json(const Row& row) {
  ordered_json json = {
      {"name", row.setting.name},
      {"budget_bytes", row.setting.budget_bytes ? ordered_json(*row.setting.budget_bytes) : ordered_json()},
      {"direct_reads", row.setting.direct_reads},
      {"ran", row.ran()}};
  json["plan"] = {{"step_seconds", row.plan.step_seconds},
                  {"streamed_bytes_per_step", row.plan.streamed_bytes},
                  {"spilled_bytes_per_step", row.plan.spilled_bytes},
                  {"passes", row.plan.passes},
                  {"most_bands", row.plan.most_bands},
                  {"banded_operators", row.plan.banded},
                  {"sliced_operators", row.plan.sliced},
                  {"planning_seconds", row.plan_seconds},
                  {"planning_core_seconds", row.plan_core_seconds}};
  if (row.ran()) {
    json["median"] = {{"step_seconds", row.step_seconds()},
                      {"first_step_seconds", row.first_step_seconds()},
                      {"decode_seconds", row.decode_seconds()},
                      {"predicted_seconds", row.predicted_seconds()},
                      {"seconds", row.seconds()}};
  }
  json["samples"] = ordered_json::array();
  for (const Sample& sample : row.samples) json["samples"].push_back(sample_json(sample));
  return json;
}

// For bench/compare: what a row's runs took.
void add_results(const Row& row, std::vector<Measurement>& results) {
  if (!row.ran()) return;
  const auto add = [&](const char* what, const auto& seconds_of) {
    Measurement measured;
    measured.name = row.setting.name + ": " + what;
    measured.threads = thread_count();
    for (const Sample& sample : row.samples) measured.samples.push_back(seconds_of(sample));
    measured.held_bytes = row.samples.front().planned_peak_bytes;
    results.push_back(std::move(measured));
  };
  add("last step", [](const Sample& s) { return s.step_seconds.empty() ? 0 : s.step_seconds.back(); });
  add("decode", [](const Sample& s) { return s.decode_seconds; });
  add("all phases", [](const Sample& s) { return s.seconds; });
}

}  // namespace

std::string memory_table(const Measurements& measurements) {
  std::string text = fmt::format(
      "{:<24} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>6} {:>6} {:>8}  {}\n"
      "{:<24} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>6} {:>6} {:>8}\n",
      "budget", "planned", "wait4", "VmHWM", "step", "ratio", "first", "decode", "predict", "actual", "error",
      "streamed", "bands", "passes", "planning", "picture", "", "MiB", "MiB", "MiB", "s", "", "s", "s", "s",
      "s", "%", "MiB/step", "", "", "ms");
  const Row* const base = unconstrained(measurements.rows);
  for (const Row& row : measurements.rows) text += row_line(row, base);
  return text;
}

std::vector<Target> memory_targets(const Measurements& measurements) {
  return {
      target("the smallest feasible budget is at most 600 MiB",
             measurements.smallest_bytes <= kMostSmallestBytes, format_bytes(measurements.smallest_bytes)),
      step_target(measurements.rows, false, kMostCachedRatio),
      direct_target(measurements),
      peak_target(measurements.rows),
      prediction_target(measurements.rows),
      picture_target(measurements.rows),
      planning_target(measurements.rows),
      failure_target(measurements.rows)};
}

ordered_json memory_json(const Measurements& measurements, const std::vector<Target>& targets) {
  const Work& work = measurements.work;
  Record record;
  record.benchmark = "memory";
  record.load_average = measurements.load_average;
  record.targets = targets;
  for (const Row& row : measurements.rows) add_results(row, record.results);
  ordered_json json = record_json(record);
  json["limits"] = {{"read_bytes_per_second", known(measurements.read_bytes)},
                    {"direct_read_bytes_per_second", known(measurements.direct_read_bytes)}};
  json["work"] = {{"width", work.width}, {"height", work.height}, {"steps", work.steps}};
  json["smallest_budget_bytes"] = measurements.smallest_bytes;
  json["rows"] = ordered_json::array();
  for (const Row& row : measurements.rows) json["rows"].push_back(row_json(row));
  return json;
}

std::vector<TimePoint> measured_points(const std::vector<Row>& rows) {
  std::vector<TimePoint> points;
  for (const Row& row : rows) {
    if (!row.ran()) continue;
    points.push_back({row.setting.budget_bytes.value_or(row.samples.front().planned_peak_bytes),
                      row.step_seconds(), row.seconds(), row.setting.direct_reads});
  }
  return points;
}

}  // namespace snug::bench
