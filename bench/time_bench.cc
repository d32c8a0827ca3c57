// Whether `snug generate --time T` ends within T: runs of the embedded model, each a process of its own, with
// times drawn between the least that is accepted and --most. The first runs, with which the prediction's
// error is learned as it would be by a user's own, do not count. `time_bench --help` lists the options.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/program.h"
#include "bench/record.h"
#include "bench/table.h"
#include "pipeline/prediction_history.h"
#include "tests/program.h"

namespace snug::bench {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr double kLeastInside = 0.95;
// Of what the best quality is promised to take.
constexpr double kLeastShare = 0.3, kMostShare = 1.15;
constexpr double kAmpleSeconds = 1000;

struct Arguments {
  int runs = 60, warm_ups = static_cast<int>(kEnoughRuns);
  double least_seconds = 0, most_seconds = 0;  // 0: by what the best quality is promised to take
  unsigned seed = 1;
  std::string json;
};

struct TimedRun {
  double asked_seconds = 0;                     // configured
  double promised_seconds = 0;                  // predicted, with the margin of past errors
  double report_seconds = 0, wall_seconds = 0;  // measured: by the program, and of the whole process
  int64_t width = 0, steps = 0;
  bool refused = false;  // too short for anything
};

TimedRun run_once(const testing::ScratchFolder& folder, double asked_seconds, int number) {
  TimedRun run;
  run.asked_seconds = asked_seconds;
  testing::ProgramOptions options;
  options.folder = folder.path();
  const auto result =
      testing::run_program({"generate", "a castle on a hill", "--seed", std::to_string(number), "--time",
                            fmt::format("{:.2f}s", asked_seconds), "--output", "picture.png", "--json"},
                           options);
  const json report = json::parse(result.out, nullptr, false);
  run.refused = result.exit_code != 0;
  if (run.refused) {
    const bool too_short = result.err.find("too short") != std::string::npos ||
                           result.out.find("too short") != std::string::npos;
    if (!too_short) throw std::runtime_error("snug generate failed: " + result.err);
    return run;
  }
  run.wall_seconds = result.seconds;
  run.report_seconds = report.at("seconds").at("total");
  run.promised_seconds = report.at("time").at("promised_seconds");
  run.width = report.at("width");
  run.steps = report.at("steps");
  return run;
}

// Evenly in the logarithm: short times matter as much as long ones.
double draw(std::mt19937& random, double least_seconds, double most_seconds) {
  std::uniform_real_distribution<double> exponent(std::log(least_seconds), std::log(most_seconds));
  return std::exp(exponent(random));
}

Target inside_target(const std::vector<TimedRun>& runs) {
  const auto count = [&](auto is) { return std::count_if(runs.begin(), runs.end(), is); };
  const auto done = count([](const TimedRun& run) { return !run.refused; });
  const auto inside =
      count([](const TimedRun& run) { return !run.refused && run.wall_seconds <= run.asked_seconds; });
  const double share = done == 0 ? 0 : static_cast<double>(inside) / static_cast<double>(done);
  return target("95 % of runs end within the time that was asked for", share >= kLeastInside,
                fmt::format("{} of {} ({:.1f} %), {} refused as too short", inside, done, share * 100,
                            runs.size() - static_cast<size_t>(done)));
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Target use_target(const std::vector<TimedRun>& runs) {
  std::vector<double> used;
  for (const TimedRun& run : runs) {
    if (!run.refused) used.push_back(run.wall_seconds / run.asked_seconds);
  }
  const double share = median(used);
  return target("half of the time is used, in the middle run", share >= 0.5,
                fmt::format("{:.0f} %", share * 100));
}

int bench(const Arguments& arguments) {
  Record record;
  record.benchmark = "time";
  record.load_average = load_average("time_bench");
  const testing::ScratchFolder folder("snug-time-bench");
  std::mt19937 random(arguments.seed);
  double best_seconds = 0;
  for (int i = 0; i < arguments.warm_ups; ++i)
    best_seconds = run_once(folder, kAmpleSeconds, i).promised_seconds;
  const double least = arguments.least_seconds > 0 ? arguments.least_seconds : kLeastShare * best_seconds;
  const double most = arguments.most_seconds > 0 ? arguments.most_seconds : kMostShare * best_seconds;
  record.settings = {
      {"runs", arguments.runs}, {"least_seconds", least}, {"most_seconds", most}, {"seed", arguments.seed}};
  std::printf("the best quality is promised within %.2f s; times from %.2f s to %.2f s\n", best_seconds,
              least, most);
  std::vector<TimedRun> runs;
  for (int i = 0; i < arguments.runs; ++i) {
    runs.push_back(run_once(folder, draw(random, least, most), i));
    const TimedRun& run = runs.back();
    std::printf("%s\n",
                run.refused
                    ? fmt::format("asked {:.2f} s: too short", run.asked_seconds).c_str()
                    : fmt::format("asked {:.2f} s, promised {:.2f} s, took {:.2f} s: {} steps at {}x{}",
                                  run.asked_seconds, run.promised_seconds, run.wall_seconds, run.steps,
                                  run.width, run.width)
                          .c_str());
    std::fflush(stdout);
    if (run.refused) continue;
    Measurement measurement;
    measurement.name = fmt::format("run {}", i);
    measurement.samples = {run.wall_seconds};
    measurement.more = {{"asked_seconds", run.asked_seconds},
                        {"promised_seconds", run.promised_seconds},
                        {"width", run.width},
                        {"steps", run.steps}};
    record.results.push_back(std::move(measurement));
  }
  record.targets = {inside_target(runs), use_target(runs)};
  std::printf("\n%s\n%s", machine_line().c_str(), target_lines(record.targets).c_str());
  if (!arguments.json.empty()) write_json(arguments.json, record_json(record));
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Whether pictures of the embedded model come within the time that was asked for.\n\n"
      "examples:\n  ./dev bench time\n  ./dev bench time --runs 20 --least 0.4 --most 8 --json time.json");
  Arguments arguments;
  app.add_option("--runs", arguments.runs, "Runs that count")->check(CLI::Range(1, 10000));
  app.add_option("--learn", arguments.warm_ups, "Runs before, from which the prediction's error is learned")
      ->check(CLI::Range(1, 1000));
  app.add_option("--least", arguments.least_seconds, "Shortest time that is asked for, seconds")
      ->check(CLI::Range(0.01, 1000.0));
  app.add_option("--most", arguments.most_seconds, "Longest, seconds")->check(CLI::Range(0.01, 1000.0));
  app.add_option("--seed", arguments.seed, "Of the times that are drawn");
  app.add_option("--json", arguments.json, "Write the record there");
  if (const auto code = parse(app, argc, argv)) return *code;
  return bench(arguments);
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) {
  return snug::bench::run_program("time_bench", snug::bench::run, argc, argv);
}
