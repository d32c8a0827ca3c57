// Pins the threads of parallel_for to cores, one each, so that the system does not move them while a kernel
// runs. Called where threads are set (pipeline/thread_choice.h); off unless asked for.
//
// Threads: from the thread that calls parallel_for, outside of it, but for leave_pinned_core().
#pragma once

#include <string>

namespace snug {

// Thread i of thread_count() goes to core i of core_layout(), from the beginning again where there are more
// threads than cores. Holds for later thread counts too. Returns what the system refused, for a warning;
// empty when nothing. What it refused runs where it did.
std::string pin_threads();
// All may run on all of the process's cores again.
void unpin_threads();
bool threads_are_pinned();

// For a thread that is started beside those of parallel_for and has inherited one core from the thread that
// started it: it may run on all of the process's cores. Nothing when nothing is pinned.
void leave_pinned_core();

namespace detail {
// After the thread count has changed: new threads have inherited the first one's core.
void renew_pins();
}  // namespace detail

}  // namespace snug
