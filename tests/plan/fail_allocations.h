// Lets an allocation of the test program fail: linking fail_allocations.cc puts the malloc family in front of
// the C library's; `operator new` ends there too. The thread library and the dynamic linker are left out:
// they end the process when memory is refused to them, which nobody above can prevent. So are the destructors
// of nlohmann::json, which take memory and must not throw. Not under sanitizers.
#pragma once

#include <cstdint>

namespace snug::testing {

// From now on allocations are counted from 1, on every thread, and number `fail_at` is refused (0: none), and
// all after it if `and_all_after`.
void count_and_fail(int64_t fail_at, bool and_all_after = false);
// Stops it; how many there were.
int64_t stop_failing();

}  // namespace snug::testing
