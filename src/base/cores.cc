#include "base/cores.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <map>

#include <fmt/format.h>

namespace snug {
namespace {

constexpr int kMostCores = 1 << 16;  // more than any system has

// "0,64" or "0-1": the same for all logical cores of one physical core. Empty when the system does not tell.
std::string siblings(const std::string& root, int core) {
  std::ifstream file(
      fmt::format("{}/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", root, core));
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  // The system refuses a set that is smaller than its own.
  for (int count = CPU_SETSIZE; count <= kMostCores; count *= 2) {
    cpu_set_t* const set = CPU_ALLOC(static_cast<size_t>(count));
    if (set == nullptr) return cores;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(count));
    CPU_ZERO_S(bytes, set);
    const bool known = ::sched_getaffinity(0, bytes, set) == 0;
    const bool too_small = !known && errno == EINVAL;
    for (int core = 0; known && core < count; ++core) {
      if (CPU_ISSET_S(static_cast<size_t>(core), bytes, set)) cores.push_back(core);
    }
    CPU_FREE(set);
    if (!too_small) return cores;
  }
  return cores;
}

CoreLayout core_layout(std::span<const int> allowed, const std::string& root) {
  CoreLayout layout;
  std::map<std::string, int> seen;  // by siblings, how many of them
  std::vector<std::pair<int, int>> ranked;
  for (const int core : allowed) {
    std::string group = siblings(root, core);
    if (group.empty()) group = fmt::format("alone {}", core);
    ranked.emplace_back(seen[group]++, core);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [rank, core] : ranked) layout.logical.push_back(core);
  if (layout.logical.empty()) layout.logical.push_back(0);
  layout.physical = std::max(1, static_cast<int>(seen.size()));
  return layout;
}

const CoreLayout& core_layout() {
  static const CoreLayout layout = core_layout(allowed_cores());
  return layout;
}

int default_thread_count(const CoreLayout& cores, std::optional<double> quota) {
  if (!quota.has_value() || !(*quota > 0)) return cores.physical;
  return static_cast<int>(std::clamp(std::ceil(*quota), 1.0, static_cast<double>(cores.physical)));
}

}  // namespace snug
