// What a run may hold: the stated budget, or what is available, brought down to what limits leave.
#include "pipeline/memory_budget.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/units.h"

namespace snug {
namespace {

constexpr ProcessSize kProcess = {20 * kMiB, 90 * kMiB};

MachineMemory machine() {
  MachineMemory memory;
  memory.total_bytes = 16 * kGiB;
  memory.available_bytes = 10 * kGiB;
  return memory;
}

TEST(MemoryBudget, IsWhatWasStated) {
  const MemoryBudget budget = memory_budget(700 * kMiB, machine(), kProcess);
  EXPECT_EQ(budget.bytes, 700 * kMiB);
  EXPECT_TRUE(budget.stated);
  EXPECT_EQ(budget.margin_bytes, 0U);
  EXPECT_EQ(budget.limited_by, "--memory");
}

TEST(MemoryBudget, MoreThanTheMachineHasIsRefused) {
  try {
    memory_budget(17 * kGiB, machine(), kProcess);
    FAIL() << "took it";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  }
}

TEST(MemoryBudget, IsWhatIsAvailableLessAMarginByDefault) {
  const MemoryBudget budget = memory_budget({}, machine(), kProcess);
  EXPECT_FALSE(budget.stated);
  EXPECT_EQ(budget.limited_by, "available memory");
  // What the process holds already is its own.
  EXPECT_EQ(budget.bytes + budget.margin_bytes, 10 * kGiB + kProcess.resident_bytes);
  EXPECT_GE(budget.margin_bytes, 32 * kMiB);
  EXPECT_LE(budget.margin_bytes, 512 * kMiB);
}

TEST(MemoryBudget, IsBroughtDownToTheTightestLimit) {
  MachineMemory memory = machine();
  memory.limits.push_back({"cgroup /a memory.max", 2 * kGiB, uint64_t{500 * kMiB}});
  memory.limits.push_back({"address space (ulimit -v)", kGiB, {}});
  const MemoryBudget stated = memory_budget(4 * kGiB, memory, kProcess);
  EXPECT_EQ(stated.limited_by, "address space (ulimit -v)");
  // Less what is mapped beside what is resident, and some for new threads.
  EXPECT_LT(stated.bytes, kGiB - (kProcess.address_space_bytes - kProcess.resident_bytes));
  memory.limits.pop_back();
  const MemoryBudget in_group = memory_budget(4 * kGiB, memory, kProcess);
  // Others in the group hold 480 MiB.
  EXPECT_EQ(in_group.bytes, 2 * kGiB - 480 * kMiB);
  EXPECT_EQ(in_group.limited_by, "cgroup /a memory.max");
  EXPECT_EQ(memory_budget(kGiB, memory, kProcess).bytes, kGiB) << "a limit that is no limit";
}

TEST(MemoryBudget, IsNothingWhereOthersHoldAll) {
  MachineMemory memory = machine();
  memory.limits.push_back({"cgroup /a memory.max", 100 * kMiB, uint64_t{300 * kMiB}});
  EXPECT_EQ(memory_budget({}, memory, kProcess).bytes, 0U);
}

}  // namespace
}  // namespace snug
