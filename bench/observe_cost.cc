#include <filesystem>

#include <fmt/format.h>

#include "base/stopwatch.h"
#include "bench/observe_parts.h"
#include "bench/serve_client.h"
#include "bench/serve_process.h"

namespace snug::bench {
namespace {

struct Watched {
  ServeProcess process;
  HttpClient client;
  EventFeed feed;

  Watched(const std::string& folder, const std::vector<std::string>& settings)
      : process(folder, settings), client(process.port()), feed(process.port()) {}

  double make(const Ask& ask) {
    const Stopwatch watch;
    feed.wait_for(submit(client, ask).id);
    return watch.seconds();
  }
};

}  // namespace

MonitoringCost measure_monitoring_cost(const std::string& folder, const CostLoad& load) {
  MonitoringCost cost{load.edge_px, load.steps, load.sample_milliseconds, {}, {}};
  const auto start = [&](const char* name, const char* monitoring) {
    std::filesystem::create_directory(folder + "/" + name);
    return std::make_unique<Watched>(
        folder + "/" + name,
        std::vector<std::string>{fmt::format("SNUG_MONITORING={}", monitoring),
                                 fmt::format("SNUG_SAMPLE_MILLISECONDS={}", load.sample_milliseconds)});
  };
  const auto without = start("without", "false"), with = start("with", "true");
  const auto ask = [&](int number) {
    Ask asked;
    asked.seed = static_cast<uint64_t>(number);
    asked.edge_px = load.edge_px;
    asked.steps = load.steps;
    return asked;
  };
  // Plans and weights are there from then on.
  without->make(ask(0));
  with->make(ask(0));
  for (int pair = 1; pair <= load.pairs; ++pair) {
    // Whichever comes first may gain or lose by it.
    if (pair % 2 == 0) cost.without_seconds.push_back(without->make(ask(pair)));
    cost.with_seconds.push_back(with->make(ask(pair)));
    if (pair % 2 != 0) cost.without_seconds.push_back(without->make(ask(pair)));
  }
  return cost;
}

}  // namespace snug::bench
