// What monitoring costs and what it is worth: pictures with and without it, the pages of a year of history, a
// million samples, and ten bad configurations whose first advice is applied; and whether the targets are met
// that the project has set itself. `observe_bench --help` lists the options.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "backend/backend.h"
#include "bench/observe_report.h"
#include "bench/program.h"
#include "bench/table.h"
#include "tests/program.h"

namespace snug::bench {
namespace {

const std::vector<std::string> kParts = {"cost", "history", "samples", "advice"};

struct Arguments {
  std::vector<std::string> only, configurations;
  std::string json, markdown;
  CostLoad cost;
  int64_t records = 100'000, samples = 1'000'000;
  int repeats = 5;
  double check_seconds = 24;

  bool wants(const std::string& part) const {
    return only.empty() || std::find(only.begin(), only.end(), part) != only.end();
  }
};

ObserveFound measure(const Arguments& arguments) {
  ObserveFound found;
  const auto begin = [](const char* part) {
    std::fprintf(stderr, "observe_bench: %s\n", part);
    return testing::ScratchFolder(std::string("observe-bench-") + part);
  };
  if (arguments.wants("history")) {
    const auto folder = begin("history");
    found.history =
        time_history_pages((folder.path() / "snug.sqlite").string(), arguments.records, arguments.repeats);
  }
  if (arguments.wants("samples")) {
    const auto folder = begin("samples");
    found.samples = push_samples((folder.path() / "snug.sqlite").string(), arguments.samples);
  }
  if (arguments.wants("cost")) {
    const auto folder = begin("cost");
    found.cost = measure_monitoring_cost(folder.path().string(), arguments.cost);
  }
  if (arguments.wants("advice")) {
    std::fprintf(stderr, "observe_bench: advice\n");
    found.advice = try_bad_configurations(arguments.check_seconds, arguments.configurations);
  }
  return found;
}

int bench(const Arguments& arguments) {
  const auto load = load_average("observe_bench");
  cpu_backend();  // settles the instruction set, for the record
  const ObserveFound found = measure(arguments);
  const std::vector<Target> targets = observe_targets(found);
  std::printf("%s\n", machine_line().c_str());
  std::fputs(observe_report(found, targets, false).c_str(), stdout);
  Record record = observe_record(found, targets);
  record.load_average = load;
  if (!arguments.json.empty()) write_json(arguments.json, record_json(record));
  if (!arguments.markdown.empty()) {
    fill_section_of_file(arguments.markdown, "observe",
                         "\n" + machine_line() + ".\n\n" + observe_report(found, targets, true));
  }
  return 0;
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("--only", arguments.only, "Of: cost, history, samples, advice; without it all")
      ->type_name("PART")
      ->delimiter(',')
      ->check(CLI::IsMember(kParts));
  app.add_option("--json", arguments.json, "Write the record of this run: one JSON object")
      ->type_name("FILE");
  app.add_option("--markdown", arguments.markdown,
                 "Make this benchmark's section of that document anew (docs/performance.md)")
      ->type_name("FILE");
  app.add_option("--pairs", arguments.cost.pairs, "Of pictures with and without monitoring")
      ->type_name("N")
      ->check(CLI::Range(2, 10000))
      ->capture_default_str();
  app.add_option("--records", arguments.records, "Jobs in the year of history")
      ->type_name("N")
      ->check(CLI::Range(int64_t{100}, int64_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--samples", arguments.samples, "That are written one after the other")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1000}, int64_t{100'000'000}))
      ->capture_default_str();
  app.add_option("--configurations", arguments.configurations, "Of the ten bad ones, by name; without it all")
      ->type_name("NAME")
      ->delimiter(',');
  app.add_option("--check-seconds", arguments.check_seconds, "For the check of each advice")
      ->type_name("S")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
}

int run(int argc, char** argv) {
  CLI::App app{"What monitoring costs and what it is worth.", "observe_bench"};
  Arguments arguments;
  add_options(app, arguments);
  app.footer(
      "\nexamples:\n"
      "  ./dev bench observe --only history,samples\n"
      "  ./dev bench observe --only cost --pairs 100 --json observe.json\n"
      "  ./dev bench observe --markdown docs/performance.md\n\n"
      "Targets that are missed change no exit code.");
  if (const auto code = parse(app, argc, argv)) return *code;
  return bench(arguments);
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) {
  return snug::bench::run_program("observe_bench", snug::bench::run, argc, argv);
}
