// A profile's sums are the run's, and a trace is well-formed and tells of the same run.
#include "pipeline/profile.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/scoped_timer.h"
#include "base/units.h"
#include "pipeline/fit_request.h"
#include "pipeline/generate.h"
#include "pipeline/profile_over_time.h"
#include "pipeline/trace_file.h"
#include "plan/live_bytes.h"
#include "runtime/memory_samples.h"
#include "runtime/run_trace.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr PeakRates kPeaks = {.f32_flops = 100e9, .bf16_flops = 0, .copy_bytes = 10e9};

RequestFields small_request() {
  RequestFields fields;
  fields.prompt = "a house by the sea";
  fields.width = fields.height = 64;
  fields.steps = 3;
  fields.seed = 1;
  return fields;
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double seconds_of(const std::vector<ProfileLine>& lines) {
  double sum = 0;
  for (const ProfileLine& line : lines) sum += line.seconds;
  return sum;
}

TEST(Profile, SumsAreThoseOfThePhase) {
  GenerateOptions options;
  int checked = 0;
  options.executed = [&](const PlannedRun& run, const Executor& executor, const RunReport& report) {
    const Profile profile = make_profile(run, executor, report, kPeaks);
    ASSERT_EQ(profile.phases.size(), run.plan.phases.size());
    for (size_t p = 0; p < profile.phases.size(); ++p) {
      const PhaseProfile& own = profile.phases[p];
      const Phase& phase = run.plan.phases[p];
      SCOPED_TRACE(own.name);
      const PhaseRecord& record = executor.record(phase);
      EXPECT_NEAR(own.kernel_seconds + own.move_seconds, sum_of(record.kernel_seconds), 1e-9);
      EXPECT_NEAR(seconds_of(own.groups), own.kernel_seconds, 1e-9);
      EXPECT_NEAR(seconds_of(own.nodes), own.kernel_seconds, 1e-9);
      // Each measured by its own watch: what is left may be small, never below nothing.
      EXPECT_GE(own.other_seconds, -1e-9);
      EXPECT_GE(own.host_seconds, -1e-9);
      EXPECT_NEAR(
          own.kernel_seconds + own.move_seconds + own.wait_seconds + own.other_seconds + own.host_seconds,
          own.total_seconds, 0.01 * own.total_seconds);
      double flops = 0, bytes = 0;
      for (const ProfileLine& line : own.nodes) {
        flops += line.flops;
        bytes += line.bytes;
      }
      EXPECT_NEAR(flops, phase.flops_per_run * phase.runs(), 1e-6 * flops + 1);
      // Work that the report states without a profile.
      EXPECT_NEAR(report.phases[p].flops, flops, 1e-6 * flops + 1);
      EXPECT_NEAR(report.phases[p].bytes, bytes, 1e-6 * bytes + 1);
      EXPECT_GE(own.light_seconds(), -1e-9);
      ++checked;
    }
  };
  generate(small_request(), options);
  EXPECT_GE(checked, 4);
}

// Little more than the smallest budget with which the request can be met, whatever this process holds.
std::string tight_budget(RequestFields fields) {
  fields.memory = "1MiB";
  try {
    generate(fields, {});
  } catch (const OverBudget& refusal) {
    return fmt::format("{}MiB", refusal.smallest_budget_bytes / kMiB + 3);
  }
  ADD_FAILURE() << "a picture in 1 MiB";
  return "1MiB";
}

TEST(Profile, TheReportHoldsThePlansMeasuresAndPeakInNumbers) {
  RequestFields fields = small_request();
  fields.width = fields.height = 256;
  fields.memory = tight_budget(fields);
  GenerateOptions options;
  uint64_t streamed_bytes = 0;
  options.executed = [&](const PlannedRun& run, const Executor&, const RunReport& report) {
    uint64_t peak_bytes = 0;
    for (const auto& [name, bytes] : report.peak_kinds) peak_bytes += bytes;
    EXPECT_EQ(peak_bytes, run.plan.peak_bytes());
    const json made = json::parse(to_json(report));
    EXPECT_EQ(made["planned"]["peak_by_kind"].size(), report.peak_kinds.size());
    EXPECT_EQ(made["planned"]["peak_by_kind"]["process"], run.plan.process_bytes);
    int most_bands = 1;
    for (size_t p = 0; p < run.plan.phases.size(); ++p) {
      const PhaseMeasures& planned = run.plan.phases[p].measures;
      const json& told = made["phases"][p];
      EXPECT_EQ(told["streamed_bytes"], planned.streamed_bytes);
      EXPECT_EQ(told["spilled_bytes"], planned.spilled_bytes);
      EXPECT_EQ(told["passes"], planned.passes);
      EXPECT_EQ(told["bands"], planned.most_bands);
      EXPECT_GT(told["flops"].get<double>(), 0);
      EXPECT_GT(told["bytes"].get<double>(), 0);
      streamed_bytes += planned.streamed_bytes;
      most_bands = std::max(most_bands, planned.most_bands);
    }
    // The budget is one that has to be met by something.
    EXPECT_TRUE(streamed_bytes > 0 || most_bands > 1);
  };
  generate(fields, options);
}

// The least over tries: other programs can come between two watches.
TEST(Profile, PhasesMakeUpTheirStage) {
  double least_gap = 1;
  GenerateOptions options;
  options.executed = [&](const PlannedRun& run, const Executor& executor, const RunReport& report) {
    const Profile profile = make_profile(run, executor, report, kPeaks);
    double denoise = 0;
    for (const PhaseProfile& phase : profile.phases) {
      if (phase.stage == "denoise") denoise += phase.total_seconds;
    }
    EXPECT_LE(denoise, report.denoise_seconds);
    least_gap = std::min(least_gap, 1 - denoise / report.denoise_seconds);
  };
  // Long enough that drawing noise and beginning phases, about 0.7 ms, are little of it on a fast machine.
  RequestFields fields = small_request();
  fields.steps = 10;
  fields.width = fields.height = 128;
  for (int i = 0; i < 5 && least_gap > 0.01; ++i) generate(fields, options);
  EXPECT_LE(least_gap, 0.01);
}

TEST(Profile, TheLimitIsThePeakThatBinds) {
  GenerateOptions options;
  options.executed = [&](const PlannedRun& run, const Executor& executor, const RunReport& report) {
    const Profile profile = make_profile(run, executor, report, kPeaks);
    for (const PhaseProfile& phase : profile.phases) {
      for (const ProfileLine& line : phase.nodes) {
        const double compute = line.flops / kPeaks.f32_flops, memory = line.bytes / kPeaks.copy_bytes;
        EXPECT_DOUBLE_EQ(line.limit_seconds, std::max(compute, memory));
        EXPECT_EQ(line.limit == Limit::kFlops, compute >= memory);
        EXPECT_EQ(line.is_heavy, line.op == "conv2d" || line.op == "linear" || line.op == "attention");
      }
    }
  };
  generate(small_request(), options);
}

double total_of(const TimeTree& times, std::string_view name, std::string_view around) {
  double seconds = 0;
  for (const TimeNode& node : times.nodes()) {
    const std::string_view outer =
        node.parent < 0 ? "" : times.nodes()[static_cast<size_t>(node.parent)].name();
    if (node.name() == name && outer == around) seconds += node.total_seconds();
  }
  return seconds;
}

// The furthest that a timer's total is from what the report and the records say, in seconds; a hundredth of
// each is for what lies between two watches.
double furthest_from_report(const TimeTree& times, const RunReport& report) {
  double furthest = 0;
  const auto compare = [&](double timed, double told) {
    furthest = std::max(furthest, std::abs(timed - told) - 0.01 * told);
  };
  const auto stage = [&](const char* name) { return total_of(times, name, "generate"); };
  compare(stage("open") + stage("load"), report.load_seconds);
  compare(stage("plan"), report.plan_seconds);
  compare(stage("encode"), report.encode_seconds);
  compare(stage("denoise"), report.denoise_seconds);
  compare(stage("decode"), report.decode_seconds);
  compare(stage("write"), report.write_seconds);
  compare(total_of(times, "generate", ""), report.total_seconds);
  for (const PhaseReport& phase : report.phases) {
    compare(total_of(times, phase.name, phase.stage), phase.seconds);
  }
  return furthest;
}

// The least over tries: other programs can come between two watches.
TEST(Profile, TheTimersTellTheSameAsTheReport) {
  double furthest = 1;
  for (int i = 0; i < 5 && furthest > 0.5e-3; ++i) {
    TimeTree times;
    times.start();
    const RunReport report = generate(small_request(), {}).report;
    times.stop();
    EXPECT_EQ(times.dropped(), 0);
    furthest = std::min(furthest, furthest_from_report(times, report));
    // What is inside a scope and its own part make up the scope, all the way down.
    double own_seconds = 0;
    for (const TimeNode& node : times.nodes()) {
      EXPECT_GE(node.self_seconds(), 0) << node.name();
      if (node.thread == 0) own_seconds += node.self_seconds();
    }
    EXPECT_NEAR(own_seconds, total_of(times, "generate", ""), 1e-6);
    for (const char* name :
         {"tokenizer", "search", "choose kernels", "sampler", "encode picture", "values in"}) {
      EXPECT_TRUE(std::any_of(times.nodes().begin(), times.nodes().end(), [&](const TimeNode& node) {
        return node.name() == name && node.count > 0;
      })) << name;
    }
  }
  EXPECT_LE(furthest, 0.5e-3);
}

TEST(Profile, MemoryOverTimeIsToldBesideThePlans) {
  MemorySamples memory(MemorySamples::Clock::now(), std::chrono::milliseconds(1));
  GenerateOptions options;
  json made;
  uint64_t arena_bytes = 0;
  options.executed = [&](const PlannedRun& run, const Executor&, const RunReport& report) {
    memory.stop();
    made = json::parse(memory_json(memory, run.plan, options.rates).dump());
    arena_bytes = run.plan.arena_bytes;
    uint64_t fullest = 0;
    for (const auto& phase : live_bytes(run.plan))
      fullest = std::max(fullest, *std::max_element(phase.begin(), phase.end()));
    uint64_t gaps = 0;
    for (const auto& [name, bytes] : report.peak_kinds) gaps += name == "gaps" ? bytes : 0;
    EXPECT_EQ(fullest + gaps, run.plan.arena_bytes);
  };
  generate(small_request(), options);
  EXPECT_EQ(made["samples"].size(), memory.samples().size());
  EXPECT_GT(made["samples"].size(), 3u);
  double last = 0;
  for (const json& point : made["planned"]) {
    EXPECT_LE(point["arena_bytes"].get<uint64_t>(), arena_bytes);
    EXPECT_GE(point["predicted_seconds"].get<double>(), last - 1e-9);
    last = point["predicted_seconds"];
  }
}

class TraceFile : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  // Runs a request with this trace, writes it and reads it back.
  json traced(const RequestFields& fields, RunTrace& trace) {
    MemorySamples memory(MemorySamples::Clock::now() - std::chrono::nanoseconds(trace.now_ns()),
                         std::chrono::milliseconds(1));
    GenerateOptions options;
    options.trace = &trace;
    options.executed = [&](const PlannedRun& run, const Executor& executor, const RunReport&) {
      for (const Phase& phase : run.plan.phases) {
        recorded_seconds_ += sum_of(executor.record(phase).kernel_seconds);
        instructions_ += phase.instructions.size() * static_cast<size_t>(phase.runs());
        for (const Load& load : phase.loads) {
          loads_ += load.rows.size() > 0 ? static_cast<size_t>(load.every_run ? phase.runs() : 1) : 0;
        }
      }
      memory.stop();
      plan_peak_bytes_ = run.plan.peak_bytes();
      write_trace(path_, trace, run.plan, &memory);
    };
    generate(fields, options);
    return json::parse(std::ifstream(path_));
  }

  std::string path_ = std::filesystem::temp_directory_path() / ("snug-trace-" + std::to_string(::getpid()));
  double recorded_seconds_ = 0;
  size_t instructions_ = 0, loads_ = 0;
  uint64_t plan_peak_bytes_ = 0;
};

struct Span {
  double begin = 0, end = 0;
  std::string category;
};

// In order of begin, outer ones first. Every event is one that viewers understand.
std::map<int, std::vector<Span>> spans_of(const json& trace) {
  std::map<int, std::vector<Span>> tracks;
  for (const json& event : trace["traceEvents"]) {
    EXPECT_FALSE(event["name"].get<std::string>().empty());
    EXPECT_EQ(event["pid"], 1);
    if (event["ph"] == "M" || event["ph"] == "C") continue;
    EXPECT_EQ(event["ph"], "X");
    const double begin = event["ts"], seconds = event["dur"];
    EXPECT_GE(begin, 0);
    EXPECT_GE(seconds, 0);
    tracks[event["tid"]].push_back({begin, begin + seconds, event["cat"]});
  }
  for (auto& [id, track] : tracks) {
    std::stable_sort(track.begin(), track.end(), [](const Span& a, const Span& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
    });
  }
  return tracks;
}

TEST_F(TraceFile, EventsOfATrackAreNestedOrApartAndAllAreThere) {
  RunTrace trace;
  RequestFields fields = small_request();
  fields.memory = "60MiB";
  const json root = traced(fields, trace);
  EXPECT_EQ(root["otherData"]["events_dropped"], 0);
  constexpr double kRounding = 0.002;  // µs, of times written with three digits
  std::map<std::string, size_t> counts;
  double kernels_us = 0;
  const auto tracks = spans_of(root);
  for (const auto& [id, track] : tracks) {
    std::vector<Span> open;
    for (const Span& span : track) {
      while (!open.empty() && open.back().end <= span.begin + kRounding) open.pop_back();
      if (!open.empty()) {
        EXPECT_LE(span.end, open.back().end + kRounding);
        EXPECT_TRUE(open.back().category == "run" || open.back().category == "stage") << span.category;
      }
      // Kernels and waiting happen in runs.
      if (span.category == "kernel" || span.category == "wait") {
        EXPECT_FALSE(open.empty());
      }
      open.push_back(span);
      ++counts[span.category];
      if (span.category == "kernel" || span.category == "move" || span.category == "scratch") {
        kernels_us += span.end - span.begin;
      }
    }
  }
  EXPECT_EQ(tracks.size(), 3u);
  EXPECT_EQ(counts["kernel"] + counts["move"] + counts["scratch"], instructions_);
  EXPECT_EQ(counts["load"], loads_);
  EXPECT_EQ(counts["stage"], 8u + 3u);  // planning counts two; and the steps
  EXPECT_NEAR(kernels_us / 1e6, recorded_seconds_, 0.01 * recorded_seconds_);
}

// Counters are numbers at rising times inside the run, and the planned ones are the plan's.
TEST_F(TraceFile, MemoryIsCountedPlannedBesideMeasured) {
  RunTrace trace;
  const json root = traced(small_request(), trace);
  std::map<std::string, std::vector<std::pair<double, uint64_t>>> counters;
  double end_us = 0;
  for (const json& event : root["traceEvents"]) {
    if (event["ph"] == "X") end_us = std::max(end_us, event["ts"].get<double>() + event["dur"].get<double>());
    if (event["ph"] != "C") continue;
    ASSERT_EQ(event["args"].size(), 1u);
    counters[event["name"]].emplace_back(event["ts"], event["args"]["bytes"].get<uint64_t>());
  }
  ASSERT_EQ(counters.size(), 4u);
  std::map<std::string, uint64_t> most;
  for (const auto& [name, points] : counters) {
    EXPECT_GE(points.size(), 3u) << name;
    for (size_t i = 0; i < points.size(); ++i) {
      EXPECT_GE(points[i].first, i == 0 ? 0 : points[i - 1].first) << name;
      most[name] = std::max(most[name], points[i].second);
    }
    EXPECT_LE(points.back().first, end_us + 1e6) << name;
  }
  // Gaps between buffers are in the peak alone.
  EXPECT_LE(most["process bytes, planned"], plan_peak_bytes_);
  EXPECT_GE(static_cast<double>(most["process bytes, planned"]), 0.8 * static_cast<double>(plan_peak_bytes_));
  EXPECT_LE(most["arena bytes, measured"], most["process bytes, measured"]);
  EXPECT_GT(most["arena bytes, measured"], 0u);
}

TEST_F(TraceFile, KernelsSayWhatTheyDid) {
  RunTrace trace;
  const json root = traced(small_request(), trace);
  for (const json& event : root["traceEvents"]) {
    if (event.value("cat", "") != "kernel") continue;
    const json& args = event["args"];
    for (const char* name : {"op", "kernel", "node", "shape", "part", "phase"}) {
      EXPECT_FALSE(args.at(name).get<std::string>().empty()) << name;
    }
    EXPECT_GE(args.at("flops").get<double>(), 0);
    EXPECT_GT(args.at("predicted_us").get<double>(), 0);
  }
}

TEST_F(TraceFile, WhatDoesNotFitIsDroppedAndCounted) {
  RunTrace trace(size_t{8} << 10);
  EXPECT_LE(trace.bytes(), size_t{8} << 10);
  const json root = traced(small_request(), trace);
  EXPECT_GT(root["otherData"]["events_dropped"], 0);
  EXPECT_EQ(root["otherData"]["events_dropped"], trace.dropped());
  size_t spans = 0;
  for (const json& event : root["traceEvents"]) spans += event["ph"] == "C" ? 0 : 1;
  EXPECT_LE(spans, trace.bytes() / sizeof(TraceEvent) + 4);
}

}  // namespace
}  // namespace snug
