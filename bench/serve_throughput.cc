#include "bench/serve_throughput.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>

#include <fmt/format.h>

#include "base/error.h"
#include "base/stopwatch.h"
#include "tests/program.h"

namespace snug::bench {
namespace {

using Pictures = std::vector<std::string>;  // files' bytes

void run_snug(const std::vector<std::string>& arguments) {
  testing::ProgramOptions options;
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "SNUG_ISA"}) {
    if (const char* value = std::getenv(name)) options.environment[name] = value;
  }
  options.environment["XDG_CONFIG_HOME"] = "/nonexistent";  // as the service: without a configuration
  const testing::ProgramResult result = testing::run_program(arguments, options);
  if (result.exit_code != 0)
    throw Error(ErrorCode::kInternal,
                fmt::format("snug generate ended with {}: {}", result.exit_code, result.err),
                "run it by hand");
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Ways {
 public:
  Ways(uint16_t port, std::string folder) : client_(port), feed_(port), folder_(std::move(folder)) {}

  double command_line(const std::vector<Ask>& asks, Pictures& pictures) {
    const std::string path = folder_ + "/picture.png";
    const Stopwatch watch;
    for (const Ask& ask : asks) {
      run_snug(generate_arguments(ask, path));
      pictures.push_back(bytes_of(path));
    }
    return watch.seconds();
  }

  double at_once(const std::vector<Ask>& asks, Pictures& pictures) {
    clear_results(client_);
    const Stopwatch watch;
    std::vector<AcceptedJob> jobs;
    for (const Ask& ask : asks) jobs.push_back(submit_new(ask));
    for (const AcceptedJob& job : jobs) fetch(job, pictures);
    return watch.seconds();
  }

  double in_turn(const std::vector<Ask>& asks, Pictures& pictures) {
    clear_results(client_);
    const Stopwatch watch;
    for (const Ask& ask : asks) fetch(submit_new(ask), pictures);
    return watch.seconds();
  }

 private:
  AcceptedJob submit_new(const Ask& ask) {
    AcceptedJob job = submit(client_, ask);
    if (job.from_cache)
      throw Error(ErrorCode::kInternal, "the cache was cleared, and answers", "report this");
    return job;
  }

  void fetch(const AcceptedJob& job, Pictures& pictures) {
    feed_.wait_for(job.id);
    pictures.push_back(picture(client_, job));
  }

  HttpClient client_;
  EventFeed feed_;
  std::string folder_;
};

std::vector<double> gains(const std::vector<double>& command_line, const std::vector<double>& service) {
  std::vector<double> found;
  for (size_t i = 0; i < service.size(); ++i) found.push_back(command_line[i] / service[i]);
  return found;
}

void count_equal(const Pictures& own, const Pictures& command_line, ThroughputTimes& times) {
  for (size_t i = 0; i < own.size(); ++i) {
    ++times.compared;
    times.equal += own[i] == command_line[i] ? 1 : 0;
  }
}

}  // namespace

std::vector<double> ThroughputTimes::at_once_gains() const { return gains(command_line, at_once); }
std::vector<double> ThroughputTimes::in_turn_gains() const { return gains(command_line, in_turn); }

ThroughputTimes time_throughput(uint16_t port, const std::string& folder, const ThroughputLoad& load) {
  Ways ways(port, folder);
  ThroughputTimes times;
  times.pictures = load.pictures;
  for (int round = -1; round < load.rounds; ++round) {  // the first warms up
    std::vector<Ask> asks;
    for (int i = 0; i < load.pictures; ++i) {
      Ask ask = load.first;
      ask.seed += static_cast<uint64_t>((round + 1) * load.pictures + i);
      ask.prompt += i;
      asks.push_back(ask);
    }
    std::array<Pictures, 3> pictures;
    std::array<double, 3> seconds = {};
    const std::array<std::function<double()>, 3> all = {
        [&] { return ways.command_line(asks, pictures[0]); },
        [&] { return ways.at_once(asks, pictures[1]); },
        [&] { return ways.in_turn(asks, pictures[2]); },
    };
    for (size_t i = 0; i < all.size(); ++i) {
      const size_t way = (static_cast<size_t>(round + 1) + i) % all.size();
      seconds.at(way) = all.at(way)();
    }
    count_equal(pictures[1], pictures[0], times);
    count_equal(pictures[2], pictures[0], times);
    if (round < 0) continue;
    times.command_line.push_back(seconds[0]);
    times.at_once.push_back(seconds[1]);
    times.in_turn.push_back(seconds[2]);
  }
  return times;
}

}  // namespace snug::bench
