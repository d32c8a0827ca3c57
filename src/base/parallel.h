// The one way in which Snug uses several cores: one pool of threads, whoever asks.
//
// Results must not depend on the thread count: cut work so that each output element is computed whole by
// one call, and keep reductions in fixed-size blocks combined in a fixed order.
#pragma once

#include <cstdint>
#include <type_traits>

namespace snug {

// Threads that parallel_for may use; 1 or more. Set once at start, before any work, or between works by what
// measures with several counts. Pinned threads (pinning.h) are pinned anew.
int thread_count();
void set_thread_count(int threads);
// Index of the calling thread inside a parallel_for body, 0..thread_count()-1; 0 outside.
int thread_index();

namespace detail {
using RangeFunction = void (*)(void* context, int64_t begin, int64_t end);
// Ranges are handed out as threads come for them, `ranges_per_thread` on average.
void parallel_ranges(int64_t count, int64_t grain, int64_t ranges_per_thread, void* context,
                     RangeFunction function);
void each_thread(void* context, void (*function)(void* context, int thread));
}  // namespace detail

// Calls body(begin, end) over disjoint ranges that cover [0, count), on up to thread_count() threads, each
// range at least `grain` long (but for the last). Blocks until all are done. body must not throw. Does not
// allocate.
template <typename Body>
void parallel_for(int64_t count, int64_t grain, Body&& body) {
  constexpr int64_t kRangesPerThread = 4;
  detail::parallel_ranges(count, grain, kRangesPerThread, &body,
                          [](void* context, int64_t begin, int64_t end) {
                            (*static_cast<std::remove_reference_t<Body>*>(context))(begin, end);
                          });
}

// Calls body(thread) once on each of the thread_count() threads, at the same time, with its thread_index():
// for what belongs to a thread. Outside of parallel_for. body must not throw.
template <typename Body>
void on_each_thread(Body&& body) {
  detail::each_thread(&body, [](void* context, int thread) {
    (*static_cast<std::remove_reference_t<Body>*>(context))(thread);
  });
}

// Calls body(index) for each index in [0, count), handed out one at a time as threads come for them: for
// tasks that each take long enough to be worth it. Else as parallel_for.
template <typename Body>
void parallel_tasks(int64_t count, Body&& body) {
  detail::parallel_ranges(count, 1, count, &body, [](void* context, int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      (*static_cast<std::remove_reference_t<Body>*>(context))(index);
    }
  });
}

}  // namespace snug
