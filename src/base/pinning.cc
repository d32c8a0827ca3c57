#include "base/pinning.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>

#include <fmt/format.h>

#include "base/cores.h"
#include "base/log.h"
#include "base/parallel.h"

namespace snug {
namespace {

std::atomic<bool> pinned = false;

// The calling thread. Returns the system's error, 0 for none.
int run_on(std::span<const int> cores) {
  const auto count = static_cast<size_t>(*std::max_element(cores.begin(), cores.end()) + 1);
  cpu_set_t* const set = CPU_ALLOC(count);
  if (set == nullptr) return ENOMEM;
  const size_t bytes = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(bytes, set);
  for (const int core : cores) CPU_SET_S(static_cast<size_t>(core), bytes, set);
  const int error = ::pthread_setaffinity_np(::pthread_self(), bytes, set);
  CPU_FREE(set);
  return error;
}

std::string pin_all() {
  const std::span<const int> cores = core_layout().logical;
  std::atomic<int> error = 0;
  on_each_thread([&](int thread) {
    const size_t core = static_cast<size_t>(thread) % cores.size();
    if (const int refused = run_on(cores.subspan(core, 1)); refused != 0) error = refused;
  });
  if (error == 0) return {};
  return fmt::format("the system did not let threads be pinned to cores: {}", std::strerror(error));
}

}  // namespace

std::string pin_threads() {
  // Looked at while this thread may still run on all of them.
  static_cast<void>(core_layout());
  pinned = true;
  return pin_all();
}

void unpin_threads() {
  if (!pinned.exchange(false)) return;
  on_each_thread([](int) { static_cast<void>(run_on(core_layout().logical)); });
}

bool threads_are_pinned() { return pinned; }

void leave_pinned_core() {
  if (pinned) static_cast<void>(run_on(core_layout().logical));
}

void detail::renew_pins() {
  if (!pinned) return;
  if (const std::string refused = pin_all(); !refused.empty()) log::warn("{}", refused);
}

}  // namespace snug
