// The control groups of this process, and what they say: the tightest memory limit with its use, and how long
// the processor quota held the process back. Versions 1 and 2, and both beside each other. Used by
// counter_reader.cc.
//
// Inside a container the path of /proc/self/cgroup often does not exist below /sys/fs/cgroup; the mount point
// then is the container's own group, and is looked at too. Which groups there are is found out once.
//
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "monitor/samples/kernel_file.h"

namespace snug {

class ControlGroups {
 public:
  // `root` is prepended to the system's paths; for tests.
  explicit ControlGroups(const std::string& root);

  struct Memory {
    std::optional<double> used_bytes;   // without cached files, which the kernel drops when it must
    std::optional<double> limit_bytes;  // nullopt: none is set
  };
  Memory memory(std::vector<char>& buffer);
  // Added over cores and over the group and its parents; nullopt: none of them counts it.
  std::optional<double> throttled_seconds(std::vector<char>& buffer);

 private:
  struct MemoryGroup {
    KernelFile limit, used, stat;
    bool version_2 = false;
  };
  struct QuotaGroup {
    KernelFile stat;
    bool version_2 = false;
  };
  std::vector<MemoryGroup> memory_groups_;  // the process's own first, then its parents
  std::vector<QuotaGroup> quota_groups_;
};

}  // namespace snug
