#include "base/machine_memory.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace snug {
namespace {

// The first line of a file of /proc or /sys; empty when there is none.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<uint64_t> whole_number(std::string_view text) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc() || stop != end) return std::nullopt;
  return number;
}

void read_meminfo(const std::string& root, MachineMemory& memory) {
  std::ifstream file(root + "/proc/meminfo");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string key;
    uint64_t kib = 0;
    if (!(words >> key >> kib)) continue;
    if (key == "MemTotal:") memory.total_bytes = kib * 1024;
    if (key == "MemAvailable:") memory.available_bytes = kib * 1024;
  }
}

struct CgroupPath {
  bool version_2 = false;
  std::string path;
};

// The process's control group with `controller`: a line "0::/path" (version 2) or "4:memory:/path".
std::vector<CgroupPath> cgroup_paths(const std::string& root, std::string_view controller) {
  std::vector<CgroupPath> paths;
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (names == ",,") {
      paths.push_back({true, line.substr(second + 1)});
    } else if (names.find(fmt::format(",{},", controller)) != std::string::npos) {
      paths.push_back({false, line.substr(second + 1)});
    }
  }
  return paths;
}

// "/a/b", "/a", "": a group and its parents. Inside a container the path may not exist below /sys/fs/cgroup;
// the root then is the container's own group, and is looked at too.
std::vector<std::string> with_parents(std::string path) {
  std::vector<std::string> paths;
  while (!path.empty() && path != "/") {
    paths.push_back(path);
    path = path.substr(0, path.find_last_of('/'));
  }
  paths.emplace_back();
  return paths;
}

// Version 1 writes its "unlimited" as a number near 2^63.
constexpr uint64_t kUnlimited = uint64_t{1} << 60;

// Of a group's usage: cached files, which the system drops when memory is needed.
uint64_t file_cache_bytes(const std::string& stat_file, bool version_2) {
  std::ifstream file(stat_file);
  std::string key;
  uint64_t bytes = 0, sum = 0;
  const std::string prefix = version_2 ? "" : "total_";
  while (file >> key >> bytes) {
    if (key == prefix + "inactive_file" || key == prefix + "active_file") sum += bytes;
  }
  return sum;
}

void read_cgroups(const std::string& root, MachineMemory& memory) {
  for (const CgroupPath& group : cgroup_paths(root, "memory")) {
    const char* const limit_file = group.version_2 ? "memory.max" : "memory.limit_in_bytes";
    const char* const usage_file = group.version_2 ? "memory.current" : "memory.usage_in_bytes";
    const std::string mount = root + (group.version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
    for (const std::string& path : with_parents(group.path)) {
      const std::string folder = mount + path + "/";
      const auto limit = whole_number(first_line(folder + limit_file));
      if (!limit || *limit >= kUnlimited) continue;
      auto used = whole_number(first_line(folder + usage_file));
      if (used) *used -= std::min(*used, file_cache_bytes(folder + "memory.stat", group.version_2));
      memory.limits.push_back(
          {fmt::format("cgroup {} {}", path.empty() ? "/" : path, limit_file), *limit, used});
    }
  }
}

void read_resource_limit(decltype(RLIMIT_AS) resource, const char* name, MachineMemory& memory) {
  rlimit limit = {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  memory.limits.push_back({name, limit.rlim_cur, std::nullopt});
}

}  // namespace

MachineMemory machine_memory(const std::string& root) {
  MachineMemory memory;
  read_meminfo(root, memory);
  read_cgroups(root, memory);
  read_resource_limit(RLIMIT_AS, "address space (ulimit -v)", memory);
  read_resource_limit(RLIMIT_DATA, "data (ulimit -d)", memory);
  return memory;
}

int usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  // Fails on machines with more cores than the set holds; then the count is the set's size.
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return CPU_SETSIZE;
  return std::max(1, CPU_COUNT(&cores));
}

std::optional<double> cpu_quota(const std::string& root) {
  std::optional<double> least;
  for (const CgroupPath& group : cgroup_paths(root, "cpu")) {
    for (const std::string& path : with_parents(group.path)) {
      const std::string folder =
          root + (group.version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu") + path + "/";
      std::string quota = first_line(folder + (group.version_2 ? "cpu.max" : "cpu.cfs_quota_us"));
      if (!group.version_2) quota += " " + first_line(folder + "cpu.cfs_period_us");
      std::istringstream words(quota);
      double quota_us = 0, period_us = 0;
      if (!(words >> quota_us >> period_us) || quota_us <= 0 || period_us <= 0) continue;
      least = least ? std::min(*least, quota_us / period_us) : quota_us / period_us;
    }
  }
  return least;
}

}  // namespace snug
