#include "bench/serve_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/parallel.h"
#include "base/units.h"
#include "bench/sampling.h"
#include "bench/table.h"

namespace snug::bench {
namespace {

constexpr double kMostLatencySeconds = 5e-3, kLatencyQuantile = 0.99;
constexpr double kHitTimesAsFast = 100;
constexpr double kAtOnceGain = 1.15, kInTurnGain = 0.97;
constexpr double kMostGrowth = 0.01;
constexpr double kMostListenersBytes = 20e6;

double ms(double seconds) { return seconds * 1e3; }
double p99(const std::vector<double>& samples) { return quantile_of(samples, kLatencyQuantile); }
double largest(const std::vector<double>& samples) { return quantile_of(samples, 1); }

double hit_gain(const HitPairs& pairs) { return median_of(pairs.made) / median_of(pairs.hit); }
double growth(const MemoryOverJobs& memory) { return memory.last_bytes() / memory.first_bytes() - 1; }
double listeners_bytes(const ListenersFound& found) {
  return static_cast<double>(found.idle_bytes) - static_cast<double>(found.before_bytes);
}

std::string printed(const Table& table, bool markdown) { return markdown ? table.markdown() : table.text(); }

std::string heading(const std::string& text, bool markdown) {
  return markdown ? "\n### " + text + "\n\n" : "\n" + text + "\n\n";
}

std::string latency_tables(const LatencyFound& found, bool markdown) {
  const auto row = [](std::string name, const std::vector<double>& samples) -> std::vector<std::string> {
    const auto cell = [&](double share) { return fmt::format("{:.2f}", ms(quantile_of(samples, share))); };
    return {std::move(name), std::to_string(samples.size()), cell(0.5), cell(0.9), cell(0.99), cell(1)};
  };
  Table open(
      {fmt::format("{:.0f} a second on {} connections, ms", found.load.per_second, found.load.connections),
       "samples", "p50", "p90", "p99", "most"});
  open.add(row("request due, until accepted", found.open.accepted));
  open.add(row("its picture's request, until fetched", found.open.fetched));
  open.add(row("request due, until its picture is fetched", found.open.both));
  open.add(row("the disk: 4 KiB written and synced", found.synced_writes));
  Table closed({"one after the other", "hits a second", "median ms", "p99 ms"});
  for (const ClosedTimes& each : found.closed) {
    closed.add({each.clients == 1 ? "1 client" : fmt::format("{} clients", each.clients),
                fmt::format("{:.0f}", each.per_second), fmt::format("{:.2f}", ms(median_of(each.seconds))),
                fmt::format("{:.2f}", ms(p99(each.seconds)))});
  }
  return heading("Overhead of the API: hits of the result cache", markdown) + printed(open, markdown) + "\n" +
         printed(closed, markdown);
}

std::string pairs_table(const HitPairs& pairs, bool markdown) {
  Table table({"request sent, until its picture is fetched", "samples", "median ms", "least ms", "most ms"});
  const auto add = [&](const char* name, const std::vector<double>& samples) {
    table.add({name, std::to_string(samples.size()), fmt::format("{:.2f}", ms(median_of(samples))),
               fmt::format("{:.2f}", ms(least_of(samples))), fmt::format("{:.2f}", ms(largest(samples)))});
  };
  add("made", pairs.made);
  add("asked for again", pairs.hit);
  return heading("A picture, and the same picture again", markdown) + printed(table, markdown);
}

std::string throughput_table(const ThroughputTimes& times, bool markdown) {
  Table table({fmt::format("{} pictures", times.pictures), "median s", "least s", "most s",
               "times as fast, median", "least", "most"});
  const auto add = [&](const char* name, const std::vector<double>& seconds,
                       const std::vector<double>& gains) {
    std::vector<std::string> row = {name};
    for (const double value : {median_of(seconds), least_of(seconds), largest(seconds)})
      row.push_back(fmt::format("{:.2f}", value));
    for (const double value : {median_of(gains), least_of(gains), largest(gains)})
      row.push_back(gains.empty() ? "" : fmt::format("{:.3f}", value));
    table.add(std::move(row));
  };
  add("snug generate, one by one", times.command_line, {});
  add("the service, all at once", times.at_once, times.at_once_gains());
  add("the service, each when the one before is done", times.in_turn, times.in_turn_gains());
  return heading("Throughput", markdown) + printed(table, markdown);
}

std::string overlap_table(const OverlapTimes& times, bool markdown) {
  Table table({fmt::format("{} pictures of as many shapes, submitted at once", times.pictures), "median s",
               "least s", "most s"});
  const auto add = [&](const char* name, const std::vector<double>& seconds) {
    table.add({name, fmt::format("{:.2f}", median_of(seconds)), fmt::format("{:.2f}", least_of(seconds)),
               fmt::format("{:.2f}", largest(seconds))});
  };
  add("one run at once", times.one);
  add("two, where memory allows", times.two);
  return heading("Runs beside each other", markdown) + printed(table, markdown) +
         fmt::format("\n{:.2f} times as fast in the median ({:.2f} to {:.2f}).\n", median_of(times.gains()),
                     least_of(times.gains()), largest(times.gains()));
}

std::string memory_table(const ServeFound& found, bool markdown) {
  Table table({"memory and files", "found"});
  const auto bytes = [](double count) { return format_bytes(static_cast<uint64_t>(std::max(0.0, count))); };
  if (found.memory.has_value()) {
    const MemoryOverJobs& memory = *found.memory;
    const auto [least, most] =
        std::minmax_element(memory.samples.begin(), memory.samples.end(),
                            [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
    const int first = memory.samples.front().jobs, last = memory.samples.back().jobs;
    table.add({"resident before the first job", format_bytes(memory.warm_up_bytes)});
    table.add({fmt::format("resident after {} jobs", first), bytes(memory.first_bytes())});
    table.add({fmt::format("resident after {} jobs", last), bytes(memory.last_bytes())});
    table.add({"least and most in between",
               bytes(static_cast<double>(least->bytes)) + " to " + bytes(static_cast<double>(most->bytes))});
    table.add({"slope, least squares", fmt::format("{:.0f} bytes a job", memory.slope_bytes_per_job())});
    table.add({"files a job (64x64)", bytes(memory.stored_bytes_per_job)});
    table.add({"jobs a second (64x64, 1 step)", fmt::format("{:.0f}", last / memory.seconds)});
  }
  if (found.listeners.has_value()) {
    const ListenersFound& listeners = *found.listeners;
    table.add({fmt::format("{} idle WebSockets", listeners.listeners), bytes(listeners_bytes(listeners))});
    table.add({"events of one job that each got",
               fmt::format("{} to {}", listeners.least_events, listeners.most_events)});
    table.add({"end of the job told, from the first of them to the last",
               fmt::format("{:.0f} ms", ms(listeners.last_told_seconds))});
  }
  return heading("Memory", markdown) + printed(table, markdown);
}

std::string targets_table(const std::vector<Target>& targets, bool markdown) {
  if (!markdown) return "\n" + target_lines(targets);
  std::string text = "| target | found | met |\n|---|---|---|\n";
  for (const Target& each : targets)
    text += fmt::format("| {} | {} | {} |\n", each.name, each.found, met_word(each.met));
  return text;
}

void latency_targets(const LatencyFound& found, std::vector<Target>& targets) {
  const auto add = [&](const char* what, const std::vector<double>& samples) {
    targets.push_back(target(fmt::format("{}: p99 under {:.0f} ms at {:.0f} cache hits a second", what,
                                         ms(kMostLatencySeconds), found.load.per_second),
                             p99(samples) < kMostLatencySeconds, fmt::format("{:.2f} ms", ms(p99(samples)))));
  };
  add("request to accepted", found.open.accepted);
  add("result fetched", found.open.fetched);
}

void throughput_targets(const ThroughputTimes& times, std::vector<Target>& targets) {
  const auto add = [&](const char* what, const std::vector<double>& gains, double least) {
    targets.push_back(
        target(fmt::format("{}: at least {:.2f} of the command line's throughput", what, least),
               median_of(gains) >= least,
               fmt::format("{:.3f} ({:.3f} to {:.3f})", median_of(gains), least_of(gains), largest(gains))));
  };
  add("pictures submitted at once", times.at_once_gains(), kAtOnceGain);
  add("pictures submitted one after the other", times.in_turn_gains(), kInTurnGain);
  targets.push_back(target("the service's pictures are the command line's, byte for byte",
                           times.equal == times.compared,
                           fmt::format("{} of {}", times.equal, times.compared)));
}

Measurement measurement_of(std::string name, std::vector<double> samples) {
  Measurement measurement;
  measurement.name = std::move(name);
  measurement.threads = thread_count();
  measurement.samples = std::move(samples);
  return measurement;
}

void latency_results(const LatencyFound& found, std::vector<Measurement>& results) {
  const auto add = [&](const char* name, const std::vector<double>& samples) {
    results.push_back(measurement_of(name, samples));
    results.back().more = {{"per_second", found.load.per_second}, {"p99_seconds", p99(samples)}};
  };
  add("hit, open loop: accepted", found.open.accepted);
  add("hit, open loop: picture fetched", found.open.fetched);
  add("hit, open loop: both", found.open.both);
  results.push_back(measurement_of("4 KiB written and synced", found.synced_writes));
  for (const ClosedTimes& each : found.closed) {
    results.push_back(
        measurement_of(fmt::format("hit, closed loop, clients: {}", each.clients), each.seconds));
    results.back().more["per_second"] = each.per_second;
  }
}

nlohmann::ordered_json memory_json(const MemoryOverJobs& memory) {
  auto samples = nlohmann::ordered_json::array();
  for (const ResidentSample& each : memory.samples)
    samples.push_back({{"jobs", each.jobs}, {"resident_bytes", each.bytes}});
  return {{"seconds", memory.seconds},
          {"before_bytes", memory.warm_up_bytes},
          {"first_bytes", memory.first_bytes()},
          {"last_bytes", memory.last_bytes()},
          {"slope_bytes_per_job", memory.slope_bytes_per_job()},
          {"stored_bytes_per_job", memory.stored_bytes_per_job},
          {"samples", std::move(samples)}};
}

nlohmann::ordered_json listeners_json(const ListenersFound& found) {
  return {{"listeners", found.listeners},
          {"before_bytes", found.before_bytes},
          {"idle_bytes", found.idle_bytes},
          {"told_of_end", found.told_of_end},
          {"least_events", found.least_events},
          {"most_events", found.most_events},
          {"last_told_seconds", found.last_told_seconds}};
}

}  // namespace

std::vector<Target> serve_targets(const ServeFound& found) {
  std::vector<Target> targets;
  if (found.latency.has_value()) latency_targets(*found.latency, targets);
  if (found.pairs.has_value()) {
    const HitPairs& pairs = *found.pairs;
    targets.push_back(
        target(fmt::format("a picture that was made before: the same bytes, at least {:.0f} times as fast",
                           kHitTimesAsFast),
               hit_gain(pairs) >= kHitTimesAsFast && pairs.equal == static_cast<int>(pairs.hit.size()),
               fmt::format("{:.0f} times, {} of {} equal", hit_gain(pairs), pairs.equal, pairs.hit.size())));
  }
  if (found.throughput.has_value()) throughput_targets(*found.throughput, targets);
  if (found.memory.has_value()) {
    const MemoryOverJobs& memory = *found.memory;
    targets.push_back(target(fmt::format("resident memory over {} jobs: within {:.0f} %",
                                         memory.samples.back().jobs, 100 * kMostGrowth),
                             growth(memory) <= kMostGrowth && growth(memory) >= -kMostGrowth,
                             fmt::format("{:+.2f} %", 100 * growth(memory))));
  }
  if (found.listeners.has_value()) {
    const ListenersFound& listeners = *found.listeners;
    targets.push_back(target(
        fmt::format("{} idle WebSockets: under {:.0f} MB, and told of a job", listeners.listeners,
                    kMostListenersBytes / 1e6),
        listeners_bytes(listeners) < kMostListenersBytes && listeners.told_of_end == listeners.listeners,
        fmt::format("{:.1f} MB, {} told", listeners_bytes(listeners) / 1e6, listeners.told_of_end)));
  }
  return targets;
}

std::string serve_report(const ServeFound& found, const std::vector<Target>& targets, bool markdown) {
  std::string text = targets_table(targets, markdown);
  if (found.latency.has_value()) text += latency_tables(*found.latency, markdown);
  if (found.pairs.has_value()) text += pairs_table(*found.pairs, markdown);
  if (found.throughput.has_value()) text += throughput_table(*found.throughput, markdown);
  if (found.overlap.has_value()) text += overlap_table(*found.overlap, markdown);
  if (found.memory.has_value() || found.listeners.has_value()) text += memory_table(found, markdown);
  return text + "\n";
}

Record serve_record(const ServeFound& found, const std::vector<Target>& targets) {
  Record record;
  record.benchmark = "serve";
  record.targets = targets;
  std::vector<Measurement>& results = record.results;
  if (found.latency.has_value()) latency_results(*found.latency, results);
  if (found.pairs.has_value()) {
    results.push_back(measurement_of("picture made and fetched", found.pairs->made));
    results.push_back(measurement_of("the same picture again", found.pairs->hit));
  }
  if (found.throughput.has_value()) {
    const ThroughputTimes& times = *found.throughput;
    const auto add = [&](const char* name, const std::vector<double>& seconds) {
      results.push_back(measurement_of(name, seconds));
      results.back().count = times.pictures;
    };
    add("pictures, command line", times.command_line);
    add("pictures, service, all at once", times.at_once);
    add("pictures, service, one after the other", times.in_turn);
  }
  if (found.overlap.has_value()) {
    results.push_back(measurement_of("pictures of many shapes, one run at once", found.overlap->one));
    results.push_back(measurement_of("pictures of many shapes, two runs at once", found.overlap->two));
  }
  if (found.memory.has_value()) record.settings["memory"] = memory_json(*found.memory);
  if (found.listeners.has_value()) record.settings["listeners"] = listeners_json(*found.listeners);
  return record;
}

}  // namespace snug::bench
