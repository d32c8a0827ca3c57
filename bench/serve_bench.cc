// How the service does, started as users start it and spoken to over loopback: what its API costs when the
// result cache answers, hits beside making, throughput beside the command line's, memory over many jobs and
// with many listeners; and whether the targets are met that the project has set itself. `serve_bench --help`
// lists the options.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "backend/backend.h"
#include "bench/program.h"
#include "bench/serve_report.h"
#include "bench/table.h"
#include "tests/program.h"

namespace snug::bench {
namespace {

constexpr int kSyncedWrites = 200, kPairs = 30;
constexpr int kWarmUpShare = 5;  // of the jobs that memory is watched over

const std::vector<std::string> kParts = {"latency", "hit", "throughput", "overlap", "memory", "listeners"};

struct Arguments {
  std::vector<std::string> only;
  std::string json, markdown;
  OpenLoop open;
  ThroughputLoad throughput;
  OverlapLoad overlap;
  ManyJobs many;
  int pairs = kPairs, listeners = 500;

  bool wants(const std::string& part) const {
    return only.empty() || std::find(only.begin(), only.end(), part) != only.end();
  }
};

// A service with an empty folder that goes with it.
struct FreshService {
  testing::ScratchFolder folder;
  ServeProcess process;
  explicit FreshService(const std::string& part)
      : folder("serve-bench-" + part), process(folder.path().string()) {
    std::fprintf(stderr, "serve_bench: %s\n", part.c_str());
  }
};

LatencyFound measure_latency(const Arguments& arguments) {
  const FreshService service("latency");
  LatencyFound found;
  found.load = arguments.open;
  found.synced_writes = synced_write_seconds(service.folder.path().string(), kSyncedWrites);
  found.open = time_hits_open(service.process.port(), arguments.open);
  for (const int clients : {1, 4}) {
    found.closed.push_back(time_hits_closed(service.process.port(),
                                            {.clients = clients, .seconds = arguments.open.seconds / 3}));
  }
  return found;
}

ServeFound measure(const Arguments& arguments) {
  ServeFound found;
  if (arguments.wants("latency")) found.latency = measure_latency(arguments);
  if (arguments.wants("hit")) {
    const FreshService service("hit");
    found.pairs = time_pairs(service.process.port(), arguments.pairs, {.seed = 1});
  }
  if (arguments.wants("throughput")) {
    const FreshService service("throughput");
    found.throughput =
        time_throughput(service.process.port(), service.folder.path().string(), arguments.throughput);
  }
  if (arguments.wants("overlap")) {
    const testing::ScratchFolder folder("serve-bench-overlap");
    std::fprintf(stderr, "serve_bench: overlap\n");
    found.overlap = time_overlap(folder.path().string(), arguments.overlap);
  }
  if (arguments.wants("memory")) {
    const FreshService service("memory");
    found.memory = run_many_jobs(service.process, arguments.many);
  }
  if (arguments.wants("listeners")) {
    const FreshService service("listeners");
    found.listeners = run_listeners(service.process, arguments.listeners);
  }
  return found;
}

int bench(const Arguments& arguments) {
  const auto load = load_average("serve_bench");
  cpu_backend();  // settles the instruction set, for the record
  const ServeFound found = measure(arguments);
  const std::vector<Target> targets = serve_targets(found);
  std::printf("%s\n", machine_line().c_str());
  std::fputs(serve_report(found, targets, false).c_str(), stdout);
  Record record = serve_record(found, targets);
  record.load_average = load;
  if (!arguments.json.empty()) write_json(arguments.json, record_json(record));
  if (!arguments.markdown.empty()) {
    fill_section_of_file(arguments.markdown, "serve",
                         "\n" + machine_line() + ".\n\n" + serve_report(found, targets, true));
  }
  return 0;
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("--only", arguments.only,
                 "Of: latency, hit, throughput, overlap, memory, listeners; without it all")
      ->type_name("PART")
      ->delimiter(',')
      ->check(CLI::IsMember(kParts));
  app.add_option("--json", arguments.json, "Write the record of this run: one JSON object")
      ->type_name("FILE");
  app.add_option("--markdown", arguments.markdown,
                 "Make this benchmark's section of that document anew (docs/performance.md)")
      ->type_name("FILE");
  app.add_option("--rate", arguments.open.per_second, "Cache hits a second, open loop")
      ->type_name("N")
      ->check(CLI::Range(1.0, 100000.0))
      ->capture_default_str();
  app.add_option("--seconds", arguments.open.seconds, "How long; each closed loop takes a third of it")
      ->type_name("S")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--pairs", arguments.pairs, "Pictures made and asked for again")
      ->type_name("N")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--rounds", arguments.throughput.rounds, "Of the three ways to make the same pictures")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--pictures", arguments.throughput.pictures, "In each round")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--overlap-rounds", arguments.overlap.rounds,
                 "Of services with one run at once, and with two")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--jobs", arguments.many.jobs, "Over which memory is watched; a fifth of them warms up")
      ->type_name("N")
      ->check(CLI::Range(10, 1000000))
      ->capture_default_str();
  app.add_option("--listeners", arguments.listeners, "WebSockets that only listen")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

int run(int argc, char** argv) {
  CLI::App app{"The service over loopback, with the embedded model, and its targets.", "serve_bench"};
  Arguments arguments;
  add_options(app, arguments);
  app.footer(
      "\nexamples:\n"
      "  ./dev bench serve --json serve.json\n"
      "  ./dev bench serve --only latency,hit --seconds 5\n"
      "  ./dev bench serve --only memory --jobs 500\n"
      "  ./dev bench serve --markdown docs/performance.md\n\n"
      "Each part starts a service of its own, whose data lie in TMPDIR (else /tmp): that should be a disk.\n"
      "Targets that are missed change no exit code.");
  if (const auto code = parse(app, argc, argv)) return *code;
  arguments.many.warm_up = arguments.many.jobs / kWarmUpShare;
  return bench(arguments);
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) {
  return snug::bench::run_program("serve_bench", snug::bench::run, argc, argv);
}
