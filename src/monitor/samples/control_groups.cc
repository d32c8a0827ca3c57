#include "monitor/samples/control_groups.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace snug {
namespace {

struct GroupFolder {
  std::string path;
  bool version_2 = false;
};

// Version 1 writes its "unlimited" as a number near 2^63.
constexpr double kUnlimitedBytes = 1152921504606846976.0;  // 2^60

// The process's groups for `controller`, from its own up to the mount point; some may not exist.
std::vector<GroupFolder> group_folders(const std::string& root, std::string_view controller) {
  std::vector<GroupFolder> folders;
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool version_2 = names == ",,";
    if (!version_2 && names.find(fmt::format(",{},", controller)) == std::string::npos) continue;
    std::vector<std::string> mounts;
    if (version_2) {
      mounts = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};  // the second where version 1 has the first
    } else {
      mounts = {fmt::format("/sys/fs/cgroup/{}", controller)};
    }
    for (const std::string& mount : mounts) {
      std::string path = line.substr(second + 1);
      while (!path.empty() && path != "/") {
        folders.push_back({root + mount + path, version_2});
        path = path.substr(0, path.find_last_of('/'));
      }
      folders.push_back({root + mount, version_2});
    }
  }
  return folders;
}

bool exists(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

}  // namespace

ControlGroups::ControlGroups(const std::string& root) {
  for (const GroupFolder& folder : group_folders(root, "memory")) {
    const std::string used = folder.path + (folder.version_2 ? "/memory.current" : "/memory.usage_in_bytes");
    const std::string limit = folder.path + (folder.version_2 ? "/memory.max" : "/memory.limit_in_bytes");
    if (!exists(used) && !exists(limit)) continue;
    memory_groups_.push_back(
        {KernelFile(limit), KernelFile(used), KernelFile(folder.path + "/memory.stat"), folder.version_2});
  }
  for (const GroupFolder& folder : group_folders(root, "cpu")) {
    const std::string stat = folder.path + "/cpu.stat";
    if (exists(stat)) quota_groups_.push_back({KernelFile(stat), folder.version_2});
  }
}

ControlGroups::Memory ControlGroups::memory(std::vector<char>& buffer) {
  Memory memory;
  MemoryGroup* tightest = memory_groups_.empty() ? nullptr : &memory_groups_.front();
  for (MemoryGroup& group : memory_groups_) {
    const auto limit = group.limit.read_number(buffer);  // "max" is no number
    if (!limit || static_cast<double>(*limit) >= kUnlimitedBytes) continue;
    if (memory.limit_bytes && static_cast<double>(*limit) >= *memory.limit_bytes) continue;
    memory.limit_bytes = static_cast<double>(*limit);
    tightest = &group;
  }
  if (tightest == nullptr) return memory;
  const auto used = tightest->used.read_number(buffer);
  if (!used) return memory;
  uint64_t cached = 0;
  if (const auto stat = tightest->stat.read(buffer)) {
    const bool v2 = tightest->version_2;
    cached += number_behind(*stat, v2 ? "inactive_file" : "total_inactive_file").value_or(0);
    cached += number_behind(*stat, v2 ? "active_file" : "total_active_file").value_or(0);
  }
  memory.used_bytes = static_cast<double>(*used - std::min(*used, cached));
  return memory;
}

std::optional<double> ControlGroups::throttled_seconds(std::vector<char>& buffer) {
  std::optional<double> sum;
  for (QuotaGroup& group : quota_groups_) {
    const auto stat = group.stat.read(buffer);
    if (!stat) continue;
    const auto time = number_behind(*stat, group.version_2 ? "throttled_usec" : "throttled_time");
    if (!time) continue;
    sum = sum.value_or(0) + static_cast<double>(*time) * (group.version_2 ? 1e-6 : 1e-9);
  }
  return sum;
}

}  // namespace snug
