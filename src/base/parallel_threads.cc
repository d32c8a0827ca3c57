// parallel.h on std::thread, for builds under ThreadSanitizer (which cannot see into libgomp and would
// report its hand-overs as races) and with clang (whose OpenMP run-time is another library). Chosen instead
// of parallel.cc by src/base/CMakeLists.txt.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "base/parallel.h"
#include "base/pinning.h"

namespace snug {
namespace {

thread_local int current_index = 0;
thread_local bool inside_parallel = false;

// One job at a time, on threads that start when they are first needed and end with the process.
class Pool {
 public:
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  int threads() const { return threads_.load(); }
  void set_threads(int threads) { threads_.store(std::max(1, threads)); }

  // Runs job(index) on `threads` threads, the caller being index 0; false when another job is under way.
  template <typename Job>
  bool run(int threads, const Job& job) {
    const std::unique_lock running(running_, std::try_to_lock);
    if (!running.owns_lock()) return false;
    std::unique_lock lock(mutex_);
    while (static_cast<int>(workers_.size()) < threads - 1) {
      const int index = static_cast<int>(workers_.size()) + 1;
      workers_.emplace_back([this, index, seen = generation_] { work(index, seen); });
    }
    context_ = &job;
    call_ = [](const void* context, int index) { (*static_cast<const Job*>(context))(index); };
    members_ = threads;
    unfinished_ = threads - 1;
    ++generation_;
    lock.unlock();
    wake_.notify_all();
    call(0);
    lock.lock();
    done_.wait(lock, [this] { return unfinished_ == 0; });
    return true;
  }

 private:
  void call(int index) {
    current_index = index;
    inside_parallel = true;
    call_(context_, index);
    inside_parallel = false;
    current_index = 0;
  }

  void work(int index, uint64_t seen) {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
      if (index >= members_) continue;
      lock.unlock();
      call(index);
      lock.lock();
      if (--unfinished_ == 0) done_.notify_one();
    }
  }

  static int threads_at_start() {
    return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  }

  std::atomic<int> threads_ = threads_at_start();
  std::mutex running_;  // held by the thread whose job runs
  std::mutex mutex_;    // guards what follows
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  const void* context_ = nullptr;
  void (*call_)(const void* context, int index) = nullptr;
  int members_ = 0;
  int unfinished_ = 0;
  uint64_t generation_ = 0;
  bool stopping_ = false;
};

Pool& pool() {
  static Pool the_pool;
  return the_pool;
}

}  // namespace

int thread_count() { return pool().threads(); }
void set_thread_count(int threads) {
  pool().set_threads(threads);
  detail::renew_pins();
}
int thread_index() { return current_index; }

namespace detail {

// The same chunks as parallel.cc.
void parallel_ranges(int64_t count, int64_t grain, int64_t ranges_per_thread, void* context,
                     RangeFunction function) {
  if (count <= 0) return;
  grain = std::max<int64_t>(1, grain);
  const int64_t most = (count + grain - 1) / grain;
  const auto threads = static_cast<int>(std::min<int64_t>(thread_count(), most));
  const int64_t chunks = std::min<int64_t>(most, threads * ranges_per_thread);
  std::atomic<int64_t> next = 0;
  const auto job = [&](int) {
    for (int64_t chunk = next++; chunk < chunks; chunk = next++) {
      function(context, chunk * count / chunks, (chunk + 1) * count / chunks);
    }
  };
  if (threads <= 1 || inside_parallel || !pool().run(threads, job)) function(context, 0, count);
}

void each_thread(void* context, void (*function)(void* context, int thread)) {
  const auto job = [&](int thread) { function(context, thread); };
  if (!pool().run(thread_count(), job)) job(thread_index());
}

}  // namespace detail
}  // namespace snug
