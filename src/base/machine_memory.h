// How much memory this process can have on this machine: what is installed, what is free now, and the limits
// that containers and shells put on it. Called by `snug system`; the default budget of a plan follows from
// it.
//
// Linux: /proc/meminfo, the process's control groups (version 2 and 1, each with its parents: the tightest
// counts), and resource limits. What cannot be read counts as absent, as in a container without /proc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snug {

struct MemoryLimit {
  std::string name;  // "cgroup /user.slice memory.max", "address space (ulimit -v)"
  uint64_t bytes = 0;
  // What already counts against it and cannot be dropped (cached files can), where the system says.
  std::optional<uint64_t> used_bytes;
};

struct MachineMemory {
  std::optional<uint64_t> total_bytes;
  std::optional<uint64_t> available_bytes;  // without swapping, by the kernel's estimate
  std::vector<MemoryLimit> limits;          // those that are set
};

// `root` is prepended to the system's paths; for tests.
MachineMemory machine_memory(const std::string& root = {});

// Cores that the process may run on (affinity), at least 1; a control group's share of time is not counted.
int usable_cores();
// Cores' worth of time that control groups allow; nothing when unlimited.
std::optional<double> cpu_quota(const std::string& root = {});

}  // namespace snug
