// Which cores this process may compute on, and how many threads that makes. Called where a thread count is
// chosen (pipeline/thread_choice.h), where threads are pinned, and by `snug system` and `snug tune`.
//
// Linux: the process's affinity, which the system has already cut down to its control group's cpuset, and
// /sys/devices/system/cpu for which logical cores share a physical one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace snug {

struct CoreLayout {
  // The system's numbers of the logical cores that the process may run on, at least one: first one of each
  // physical core, then their siblings, so that the first n are the best n to run n threads on.
  std::vector<int> logical;
  int physical = 1;  // cores among them; as many as logical where the system does not tell siblings
};

// Logical cores that this thread may run on, rising. Empty where the system does not tell.
std::vector<int> allowed_cores();

// `allowed`: as allowed_cores() gives. `root` is prepended to the system's paths; for tests.
CoreLayout core_layout(std::span<const int> allowed, const std::string& root = {});
// Of the process, as it was before any thread was pinned.
const CoreLayout& core_layout();

// Threads to use when nobody says: one for each physical core, as both hyperthreads of one share its
// arithmetic units, but no more than a control group's share of time keeps busy, rounded up.
int default_thread_count(const CoreLayout& cores, std::optional<double> quota);

}  // namespace snug
