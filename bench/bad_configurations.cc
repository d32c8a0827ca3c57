#include "bench/bad_configurations.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "monitor/advice/action.h"

namespace snug::bench {
namespace {

struct Asked {
  std::string model = {};
  uint64_t seed = 0;
  std::optional<int64_t> steps = {};
  int64_t edge_px = 128;
  std::string prompt = "a lake in the mountains at dawn";
};

PastJob job_of(const Asked& asked, int period) {
  PastJob job;
  job.fields.model = asked.model;
  job.fields.prompt = asked.prompt;
  job.fields.seed = asked.seed;
  job.fields.width = job.fields.height = asked.edge_px;
  job.fields.steps = asked.steps;
  job.period = period;
  return job;
}

// One after the other, each when the one before has ended.
std::vector<PastJob> in_turn(const std::vector<Asked>& asked) {
  std::vector<PastJob> jobs;
  for (const Asked& one : asked) jobs.push_back(job_of(one, static_cast<int>(jobs.size())));
  return jobs;
}

std::vector<PastJob> at_once(const std::vector<Asked>& asked) {
  std::vector<PastJob> jobs;
  for (const Asked& one : asked) jobs.push_back(job_of(one, 0));
  return jobs;
}

std::vector<Asked> many(int count, const Asked& like) {
  std::vector<Asked> all;
  for (int i = 0; i < count; ++i) {
    all.push_back(like);
    all.back().seed = static_cast<uint64_t>(i);
  }
  return all;
}

// With as many contents as seeds, round and round.
std::vector<Asked> repeated(int count, uint64_t seeds, const Asked& like) {
  std::vector<Asked> all = many(count, like);
  for (Asked& one : all) one.seed %= seeds;
  return all;
}

std::vector<Asked> alternating(int count, const Asked& like) {
  std::vector<Asked> all = many(count, like);
  for (size_t i = 0; i < all.size(); ++i) all[i].model = i % 2 == 0 ? "one" : "two";
  return all;
}

// The least with which all of them can be planned, and a little.
std::string least_memory(const std::vector<PastJob>& jobs, const Configuration& configuration,
                         const MakeServiceOptions& make_options) {
  OpenedModels models;
  const auto fits = [&](int64_t mib) {
    const Configuration small =
        with_action(configuration, action_on(configuration, "memory", fmt::format("{}MiB", mib)));
    JobPlanner planner(small, make_options, models);
    return planner.cost(planner.shape_of_job(jobs.front()), 1).fits;
  };
  int64_t low = 1, high = 4096;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (fits(middle) ? high : low) = middle;
  }
  // The service's process is larger by then than this one.
  return fmt::format("{}MiB", high + high / 8 + 4);
}

}  // namespace

std::vector<BadConfiguration> bad_configurations(const std::string& models,
                                                 const MakeServiceOptions& make_options) {
  const std::string found = fmt::format("model_folders = [\"{}\"]\n", models);
  const Asked usual{.steps = 8}, on_disk{.model = "one", .steps = 8}, quick{.steps = 1};
  Configuration with_models;
  with_models.model_folders = {models};
  std::vector<BadConfiguration> all;
  const auto add = [&](const char* name, const std::string& text, std::vector<PastJob> jobs) {
    all.push_back({name, found + text, std::move(jobs)});
  };
  add("one thread", "threads = 1\n", in_turn(many(8, usual)));
  const Asked large{.model = "one", .steps = 4, .edge_px = 256};
  add("little memory",
      fmt::format("memory = \"{}\"\ndirect_reads = true\n",
                  least_memory(in_turn({large}), with_models, make_options)),
      in_turn(many(8, large)));
  add("no result cache", "result_cache = \"1B\"\n", in_turn(repeated(12, 3, usual)));
  add("result cache too small", "result_cache = \"16KiB\"\n", in_turn(repeated(12, 4, usual)));
  add("no conditioning cache", "conditioning_cache = \"1B\"\n", in_turn(many(24, quick)));
  add("batches of sixteen", "most_batch = 16\n", at_once(many(12, usual)));
  add("models not kept", "models_share = 0\n", in_turn(alternating(12, {.steps = 1, .edge_px = 64})));
  add("sixty steps by default", "default_steps = 60\n", in_turn(many(8, {.edge_px = 96})));
  add("a sampler of two calls a step", "default_sampler = \"heun\"\n", in_turn(many(8, usual)));
  add("full precision", "precision = \"f32\"\n", in_turn(many(8, {.steps = 8, .edge_px = 256})));
  return all;
}

}  // namespace snug::bench
