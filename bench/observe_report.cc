#include "bench/observe_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.h"
#include "bench/table.h"
#include "monitor/statistics/bootstrap.h"
#include "monitor/statistics/quantiles.h"

namespace snug::bench {
namespace {

using nlohmann::ordered_json;

constexpr double kMostCost = 0.005;  // of a picture's time
constexpr double kMostPageSeconds = 0.2;
constexpr double kMostGrowth = 0.01;  // of resident memory, from the first tenth of the samples to the last

double median(const std::vector<double>& values) { return quantile(values, 0.5).value_or(0); }
double highest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

std::string text_of(const Table& table, bool markdown) { return markdown ? table.markdown() : table.text(); }

std::string interval_text(const EstimatedInterval& interval) {
  return fmt::format("{:+.2f} % ({:+.2f} to {:+.2f} %, confidence {:.0f} %)", 100 * (interval.value - 1),
                     100 * (interval.low - 1), 100 * (interval.high - 1), 100 * interval.confidence);
}

std::string cost_text(const MonitoringCost& cost) {
  std::string text = fmt::format(
      "Monitoring on beside off: {} pairs of pictures of {} pixels and {} steps, a sample every {} ms: "
      "median {} "
      "without, {} with.\n",
      cost.with_seconds.size(), cost.edge_px, cost.steps, cost.sample_milliseconds,
      format_seconds(median(cost.without_seconds)), format_seconds(median(cost.with_seconds)));
  if (const auto compared = compare_pairs(cost.without_seconds, cost.with_seconds))
    text += fmt::format("Ratio of medians: {}.\n", interval_text(compared->ratio));
  return text;
}

std::string history_text(const HistoryTimes& history, bool markdown) {
  Table table({"page", "median", "highest", "KiB"});
  for (const PageTime& page : history.pages) {
    table.add({page.page, fmt::format("{:.1f} ms", 1e3 * median(page.seconds)),
               fmt::format("{:.1f} ms", 1e3 * highest(page.seconds)), fmt::format("{}", page.bytes / 1024)});
  }
  return fmt::format("Pages over a year of history in SQLite, {} jobs and {} rows of samples:\n\n",
                     history.records, history.samples) +
         text_of(table, markdown);
}

std::string samples_text(const SampleMemory& memory) {
  return fmt::format(
      "{} samples written in {}: resident {} after the first tenth, {} after the last; {} rows are kept, in "
      "{}.\n",
      memory.samples, format_seconds(memory.seconds), format_bytes(memory.resident_bytes.front()),
      format_bytes(memory.resident_bytes.back()), memory.rows, format_bytes(memory.stored_bytes));
}

double growth(const SampleMemory& memory) {
  return static_cast<double>(memory.resident_bytes.back()) /
             static_cast<double>(memory.resident_bytes.front()) -
         1;
}

}  // namespace

std::vector<Target> observe_targets(const ObserveFound& found) {
  std::vector<Target> targets;
  if (found.cost) {
    const auto compared = compare_pairs(found.cost->without_seconds, found.cost->with_seconds);
    targets.push_back(target("monitoring costs under 0.5 % of a picture, in the median of pairs",
                             compared && compared->ratio.value < 1 + kMostCost,
                             compared ? interval_text(compared->ratio) : "too few pairs"));
  }
  if (found.history) {
    double slowest = 0;
    for (const PageTime& page : found.history->pages) slowest = std::max(slowest, median(page.seconds));
    targets.push_back(target("any page of a year of history under 200 ms", slowest < kMostPageSeconds,
                             fmt::format("{:.0f} ms, the slowest", 1e3 * slowest)));
  }
  if (found.samples) {
    targets.push_back(target("a million samples leave memory flat", growth(*found.samples) < kMostGrowth,
                             fmt::format("{:+.2f} %", 100 * growth(*found.samples))));
  }
  if (found.advice) {
    for (const Target& each : advice_targets(*found.advice)) targets.push_back(each);
  }
  return targets;
}

std::string observe_report(const ObserveFound& found, const std::vector<Target>& targets, bool markdown) {
  std::vector<std::string> parts;
  if (found.cost) parts.push_back(cost_text(*found.cost));
  if (found.history) parts.push_back(history_text(*found.history, markdown));
  if (found.samples) parts.push_back(samples_text(*found.samples));
  if (found.advice) {
    parts.push_back(
        "Ten configurations that are bad for their jobs, and what the first advice made of them:\n\n" +
        advice_table(*found.advice, markdown));
  }
  std::string text;
  for (const std::string& part : parts) text += part + "\n";
  return text + (markdown ? "```\n" + target_lines(targets) + "```\n" : target_lines(targets));
}

Record observe_record(const ObserveFound& found, const std::vector<Target>& targets) {
  Record record;
  record.benchmark = "observe";
  record.targets = targets;
  const auto add = [&](const std::string& name, const std::vector<double>& samples) {
    Measurement& measurement = record.results.emplace_back();
    measurement.name = name;
    measurement.samples = samples;
    return &measurement.more;
  };
  if (found.cost) {
    add("picture without monitoring", found.cost->without_seconds);
    add("picture with monitoring", found.cost->with_seconds);
  }
  if (found.history) {
    for (const PageTime& page : found.history->pages) add("page " + page.page, page.seconds);
  }
  if (found.samples) {
    ordered_json& more = *add("samples", {found.samples->seconds});
    more["resident_bytes"] = found.samples->resident_bytes;
    more["rows"] = found.samples->rows;
  }
  if (found.advice) (*add("advice", {}))["trials"] = advice_json(*found.advice);
  return record;
}

}  // namespace snug::bench
