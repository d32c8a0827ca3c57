#include "monitor/advice/candidates.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/cores.h"
#include "base/machine_memory.h"
#include "base/units.h"
#include "pipeline/memory_budget.h"

namespace snug {
namespace {

// A cache that holds all that came again would not hold more of it; twice that has room for what is new.
constexpr int64_t kCacheRoom = 2;
// Of the disk that is free: the rest is for pictures.
constexpr int64_t kCacheShareOfDisk = 4;
constexpr double kFaster = 2;

// Of the disk that the folder is on, or will be.
int64_t free_disk_bytes(std::filesystem::path folder) {
  std::error_code failed;
  if (folder.empty()) folder = std::filesystem::current_path(failed);
  while (!std::filesystem::exists(folder, failed) && folder.has_parent_path() &&
         folder != folder.parent_path())
    folder = folder.parent_path();
  const auto space = std::filesystem::space(folder, failed);
  return failed ? 0 : static_cast<int64_t>(space.available);
}

class CandidateList {
 public:
  CandidateList(const Configuration& configuration, const PlannedJobs& now)
      : configuration_(configuration), now_(now) {}

  std::vector<AdviceCandidate> make() {
    add_threads();
    add_precision();
    add_memory();
    add_caches();
    add_numbers("most_batch", configuration_.most_batch, std::array<int64_t, 6>{1, 2, 4, 8, 16, 32},
                "run up to {} pictures of several jobs together");
    add_numbers("runs_at_once", configuration_.runs_at_once, std::array<int64_t, 4>{1, 2, 3, 4},
                "let {} runs be under way at once");
    add_numbers("models_share", configuration_.models_share, std::array<int64_t, 4>{25, 50, 75, 90},
                "let loaded models keep {} % of the memory");
    add("direct_reads", configuration_.direct_reads ? "false" : "true",
        configuration_.direct_reads ? "read weights through the system's page cache"
                                    : "read weights past the system's page cache");
    add_defaults();
    add_machines();
    return std::move(list_);
  }

 private:
  void add(std::string_view key, std::string to, std::string title,
           AdviceCategory category = AdviceCategory::kConfiguration) {
    const Action action = action_on(configuration_, key, std::move(to));
    if (action.from == action.to) return;
    list_.push_back({category, std::move(title), action, {}, std::string(key)});
  }

  template <size_t kCount>
  void add_numbers(std::string_view key, int64_t now, const std::array<int64_t, kCount>& values,
                   const char* title) {
    for (const int64_t value : values) {
      if (value != now) add(key, std::to_string(value), fmt::format(fmt::runtime(title), value));
    }
  }

  void add_threads() {
    const CoreLayout& cores = core_layout();
    std::set<int64_t> counts = {cores.physical, static_cast<int64_t>(cores.logical.size())};
    for (int64_t count = 1; count < cores.physical; count *= 2) counts.insert(count);
    for (const int64_t count : counts) {
      if (count == now_.planner->rates().threads) continue;
      add("threads", std::to_string(count),
          fmt::format("compute with {} thread{}", count, count == 1 ? "" : "s"));
    }
  }

  // Only jobs that state none follow the setting.
  void add_precision() {
    for (const char* const type : {"f32", "bf16"}) {
      if (now_.planner->precision() == type) continue;
      add("precision", type, fmt::format("compute in {}: pictures change a little", type),
          AdviceCategory::kWorkflow);
    }
  }

  // More, up to what this machine has free.
  void add_memory() {
    if (configuration_.memory.empty()) return;
    const uint64_t now = parse_bytes(configuration_.memory, "memory");
    const uint64_t most = memory_budget(std::nullopt, machine_memory(), process_size()).bytes;
    constexpr std::array kFactors = {1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0};
    for (const double factor : kFactors) {
      const auto bytes = static_cast<uint64_t>(static_cast<double>(now) * factor) / kMiB * kMiB;
      if (bytes <= now || bytes > most) continue;
      const std::string text = fmt::format("{}MiB", bytes / kMiB);
      add("memory", text, fmt::format("let the process hold {}", format_bytes(bytes)));
    }
  }

  // What several of the jobs had in common, each once.
  template <typename Key, typename Bytes>
  int64_t repeated_bytes(Key key, Bytes bytes_of) const {
    std::map<std::string, int> times;
    int64_t bytes = 0;
    for (const ReplayJob& job : now_.jobs) {
      if (++times[key(job)] == 2) bytes += bytes_of(job);
    }
    return bytes;
  }

  void add_cache(std::string_view key, int64_t needed_bytes, int64_t limit_bytes, int64_t most_bytes,
                 std::string_view what) {
    if (needed_bytes == 0 || needed_bytes <= limit_bytes) return;
    auto bytes = static_cast<int64_t>(kMiB);
    while (bytes < kCacheRoom * needed_bytes) bytes *= 2;
    if (bytes > most_bytes) return;
    add(key, fmt::format("{}MiB", bytes / static_cast<int64_t>(kMiB)),
        fmt::format("keep {} of {} for requests that come again", format_bytes(static_cast<uint64_t>(bytes)),
                    what));
  }

  void add_caches() {
    const ReplayLimits limits = now_.planner->limits();
    const int64_t most_disk = free_disk_bytes(configuration_.data_folder) / kCacheShareOfDisk;
    // All that came between two equal ones has to have room as well.
    int64_t all_results = 0;
    for (const ReplayJob& job : now_.jobs) all_results += job.result_bytes;
    const int64_t repeated = repeated_bytes([](const ReplayJob& job) { return job.content; },
                                            [](const ReplayJob& job) { return job.result_bytes; });
    if (repeated > 0) add_cache("result_cache", all_results, limits.result_bytes, most_disk, "pictures");
    const auto conditioning = [&](const ReplayJob& job) {
      return now_.planner->cost(job.shape, job.pictures).conditioning_bytes;
    };
    const int64_t prompts = repeated_bytes([](const ReplayJob& job) { return job.prompt; }, conditioning);
    int64_t all_prompts = 0;
    for (const ReplayJob& job : now_.jobs) all_prompts += conditioning(job);
    if (prompts > 0)
      add_cache("conditioning_cache", all_prompts, limits.conditioning_bytes, limits.budget_bytes / 8,
                "what prompts became");
  }

  // What suits the model, where the configuration says otherwise.
  void add_defaults() {
    if (configuration_.default_steps > 0)
      add("default_steps", "0", "take as many steps as suit the model, where a request states none",
          AdviceCategory::kWorkflow);
    if (!configuration_.default_sampler.empty())
      add("default_sampler", "", "take the sampler that suits the model, where a request states none",
          AdviceCategory::kWorkflow);
  }

  void add_machines() {
    const Rates& rates = now_.planner->rates();
    const double read = now_.planner->reads_direct() ? rates.direct_read_bytes : rates.read_bytes;
    list_.push_back({AdviceCategory::kHardware,
                     fmt::format("a disk that reads {}/s instead of {}/s",
                                 format_bytes(static_cast<uint64_t>(read * kFaster)),
                                 format_bytes(static_cast<uint64_t>(read))),
                     std::nullopt,
                     [](Rates& changed) {
                       changed.read_bytes *= kFaster;
                       changed.direct_read_bytes *= kFaster;
                     },
                     "disk"});
    const int threads = rates.threads;
    list_.push_back({AdviceCategory::kHardware,
                     fmt::format("{} cores like these instead of {}", 2 * threads, threads), std::nullopt,
                     [threads](Rates& changed) {
                       changed = scale_to_cores(changed, threads, kFaster * threads, 2 * threads);
                     },
                     "cores"});
  }

  const Configuration& configuration_;
  const PlannedJobs& now_;
  std::vector<AdviceCandidate> list_;
};

}  // namespace

std::vector<AdviceCandidate> candidates(const Configuration& configuration, const PlannedJobs& now) {
  return CandidateList(configuration, now).make();
}

}  // namespace snug
