// Counts what the whole process takes from the heap: linking count_allocations.cc puts the malloc family of
// the test program in front of the C library's, for every library and thread. `operator new` ends there too.
// Not counted is what the dynamic linker takes for a new thread's storage. Not under sanitizers, which have a
// heap of their own: kCountsAllocations says whether it works.
#pragma once

#include <cstdint>

namespace snug::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kCountsAllocations = false;
#else
inline constexpr bool kCountsAllocations = true;
#endif

struct AllocationCounts {
  int64_t own = 0, own_bytes = 0, own_frees = 0;
};

// Since the program began; the first call finds out where the linker lies.
AllocationCounts allocation_counts();
// From now on the first allocation ends the process, so that a debugger shows whose it is.
void abort_at_own_allocation(bool on);

}  // namespace snug::testing
