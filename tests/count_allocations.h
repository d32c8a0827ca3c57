// Counts what the whole process takes from the heap: linking count_allocations.cc puts the malloc family of
// the test program in front of the C library's, for every library and thread. `operator new` ends there too.
// Counted apart are calls inside a LibraryCall (backend/library_call.h), and those that the thread library
// makes itself: libgomp, and the dynamic linker for a new thread's storage. Not under sanitizers, which have
// a heap of their own: kCountsAllocations says whether it works.
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
  int64_t library = 0, library_bytes = 0, library_frees = 0, library_freed_bytes = 0;
  int64_t threads = 0, threads_bytes = 0;  // of libgomp
};

// Since the program began; the first call finds out where the thread library lies.
AllocationCounts allocation_counts();
// From now on the first allocation outside a LibraryCall ends the process, so that a debugger shows whose it
// is.
void abort_at_own_allocation(bool on);

}  // namespace snug::testing
