#include "bench/serve_overlap.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/stopwatch.h"
#include "bench/serve_client.h"
#include "bench/serve_process.h"

namespace snug::bench {
namespace {

constexpr int kLeastEdgePx = 96, kEdgeStepPx = 8, kEdges = 12, kLeastSteps = 4;

// Another shape for each.
Ask ask_of(int number) {
  Ask ask;
  ask.edge_px = kLeastEdgePx + kEdgeStepPx * (number % kEdges);
  ask.steps = kLeastSteps + number / kEdges;
  ask.seed = static_cast<uint64_t>(number);
  return ask;
}

double time_all(const std::string& folder, int pictures, int runs_at_once) {
  std::filesystem::create_directory(folder);
  double seconds = 0;
  {
    const ServeProcess service(folder, {fmt::format("SNUG_RUNS_AT_ONCE={}", runs_at_once)});
    HttpClient client(service.port());
    EventFeed feed(service.port());
    const Stopwatch watch;
    std::vector<AcceptedJob> jobs;
    for (int i = 0; i < pictures; ++i) jobs.push_back(submit(client, ask_of(i)));
    for (const AcceptedJob& job : jobs) feed.wait_for(job.id);
    seconds = watch.seconds();
  }
  std::filesystem::remove_all(folder);
  return seconds;
}

}  // namespace

std::vector<double> OverlapTimes::gains() const {
  std::vector<double> found;
  for (size_t i = 0; i < one.size(); ++i) found.push_back(one[i] / two[i]);
  return found;
}

OverlapTimes time_overlap(const std::string& folder, const OverlapLoad& load) {
  OverlapTimes times;
  times.pictures = load.pictures;
  for (int round = 0; round < load.rounds; ++round) {
    for (int turn = 0; turn < 2; ++turn) {
      const int runs = 1 + (round + turn) % 2;
      (runs == 1 ? times.one : times.two).push_back(time_all(folder + "/service", load.pictures, runs));
    }
  }
  return times;
}

}  // namespace snug::bench
