#include "pipeline/memory_budget.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/process_memory.h"
#include "base/units.h"

namespace snug {
namespace {

// Left for other programs by default: 3 %, within these bounds.
constexpr double kMarginShare = 0.03;
constexpr uint64_t kLeastMarginBytes = 32 * kMiB;
constexpr uint64_t kMostMarginBytes = 512 * kMiB;
// Address space for what is mapped but not resident, beside what is mapped already: stacks of new threads.
constexpr uint64_t kNewMappingsBytes = 16 * kMiB;

uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

// The most that the process could hold under a limit.
uint64_t room_under(const MemoryLimit& limit, const ProcessSize& process) {
  if (limit.used_bytes) {
    // Others in the group, or page cache that cannot be dropped.
    return minus(limit.bytes, minus(*limit.used_bytes, process.resident_bytes));
  }
  return minus(limit.bytes, minus(process.address_space_bytes, process.resident_bytes) + kNewMappingsBytes);
}

}  // namespace

ProcessSize process_size() {
  const ProcessMemory memory = process_memory();
  return {memory.resident_bytes, memory.mapped_bytes};
}

MemoryBudget memory_budget(const std::optional<uint64_t>& stated, const MachineMemory& machine,
                           const ProcessSize& process) {
  MemoryBudget budget;
  if (stated) {
    budget = {*stated, true, 0, "--memory"};
    if (machine.total_bytes && *stated > *machine.total_bytes) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("--memory is {}, the machine has {}", format_bytes(*stated),
                              format_bytes(*machine.total_bytes)),
                  "give less, or leave --memory away: then what is available is used");
    }
  } else if (machine.available_bytes) {
    budget = {*machine.available_bytes + process.resident_bytes, false, 0, "available memory"};
  } else {
    budget = {machine.total_bytes.value_or(UINT64_MAX / 2), false, 0, "installed memory"};
  }
  for (const MemoryLimit& limit : machine.limits) {
    const uint64_t room = room_under(limit, process);
    if (room >= budget.bytes) continue;
    budget.bytes = room;
    budget.limited_by = limit.name;
  }
  if (!stated) {
    budget.margin_bytes = std::clamp(static_cast<uint64_t>(static_cast<double>(budget.bytes) * kMarginShare),
                                     kLeastMarginBytes, kMostMarginBytes);
    budget.bytes = minus(budget.bytes, budget.margin_bytes);
  }
  return budget;
}

}  // namespace snug
