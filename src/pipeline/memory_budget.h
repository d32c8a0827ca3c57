// How much memory a run may hold: the whole process, resident, at any moment. Stated by the user, else what
// is really available here less a margin. Called by make_plan.cc; the limits come from base/machine_memory.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/machine_memory.h"

namespace snug {

struct MemoryBudget {
  uint64_t bytes = 0;
  bool stated = false;
  uint64_t margin_bytes = 0;  // left for others; 0 when stated
  std::string limited_by;     // "--memory", "available memory", "cgroup /x memory.max", ...
};

// What this process holds now; a budget covers it.
struct ProcessSize {
  uint64_t resident_bytes = 0;
  uint64_t address_space_bytes = 0;  // mapped, resident or not
};
ProcessSize process_size();

// `stated`: the user's figure. A stated budget above what a limit leaves is brought down to that limit, which
// `limited_by` then names. Throws invalid_argument when it is more than the machine has.
MemoryBudget memory_budget(const std::optional<uint64_t>& stated, const MachineMemory& machine,
                           const ProcessSize& process);

}  // namespace snug
