#include "base/parallel.h"

#include <algorithm>

#include <omp.h>

#include "base/pinning.h"

namespace snug {

int thread_count() { return omp_get_max_threads(); }
void set_thread_count(int threads) {
  omp_set_num_threads(std::max(1, threads));
  detail::renew_pins();
}
int thread_index() { return omp_get_thread_num(); }

namespace detail {

// Ranges are handed out in small chunks so that a thread that is disturbed does not hold up the rest. Every
// region has all threads, also when there is less to do: a team of another size makes libgomp end threads,
// start them again later, and allocate both times.
void parallel_ranges(int64_t count, int64_t grain, int64_t ranges_per_thread, void* context,
                     RangeFunction function) {
  if (count <= 0) return;
  grain = std::max<int64_t>(1, grain);
  const int64_t most = (count + grain - 1) / grain;
  const auto threads = static_cast<int>(std::min<int64_t>(thread_count(), most));
  if (threads <= 1 || omp_in_parallel() != 0) {
    function(context, 0, count);
    return;
  }
  const int64_t chunks = std::min<int64_t>(most, threads * ranges_per_thread);
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    function(context, chunk * count / chunks, (chunk + 1) * count / chunks);
  }
}

void each_thread(void* context, void (*function)(void* context, int thread)) {
#pragma omp parallel
  function(context, omp_get_thread_num());
}

}  // namespace detail
}  // namespace snug
