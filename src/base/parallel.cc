// A pool of threads for parallel.h: one job at a time, on threads that start when they are first needed and
// end with the process.
//
// Kernels are short, down to microseconds, and follow each other closely. So a worker that has nothing to do
// looks for the next job for a while before it sleeps, and gives its core up between looks; where it then
// gets the core back late, others want it, and it sleeps at once. The thread that brings a job does not wait
// for workers to wake: it takes ranges itself until none is left, then only for those who have taken one.
#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/pinning.h"

namespace snug {
namespace {

using Clock = std::chrono::steady_clock;

// How long a worker looks for the next job. Between kernels of a step lie some microseconds, around steps
// some tens.
constexpr std::chrono::microseconds kPatience{100};
// A core that comes back later than this was somebody else's meanwhile.
constexpr std::chrono::microseconds kCrowded{10};
constexpr int kLooksBeforeYielding = 64;
// Of address space; a kernel's frames are a few KiB.
constexpr size_t kStackBytes = size_t{2} << 20;

thread_local int current_index = 0;
thread_local bool inside_parallel = false;

void pause() { __builtin_ia32_pause(); }

// Returns when `there()`, or when looking further would cost more than sleeping: then false.
template <typename There>
bool look_for(const There& there) {
  for (int look = 0; look < kLooksBeforeYielding; ++look) {
    if (there()) return true;
    pause();
  }
  const auto end = Clock::now() + kPatience;
  for (auto now = Clock::now(); now < end;) {
    ::sched_yield();
    if (there()) return true;
    const auto after = Clock::now();
    if (after - now > kCrowded) return false;
    now = after;
  }
  return false;
}

struct Job {
  void* context = nullptr;
  detail::RangeFunction ranges = nullptr;
  void (*each)(void* context, int thread) = nullptr;  // instead of ranges: once on every thread
  int64_t count = 0, chunks = 0;
  int members = 0;  // threads that may take part
};

// The ranges of one thread that nobody has taken. A line of cache each, for each thread writes its own.
struct alignas(64) Share {
  std::atomic<int64_t> next = 0;
};

class Pool {
 public:
  ~Pool() {
    stopping_ = true;
    epoch_ += 2;
    epoch_.notify_all();
    for (const pthread_t worker : workers_) ::pthread_join(worker, nullptr);
  }

  int threads() const { return threads_.load(std::memory_order_relaxed); }
  void set_threads(int threads) { threads_ = std::max(1, threads); }

  // False when another job is under way: nothing has happened then.
  bool run(const Job& job) {
    const std::unique_lock running(running_, std::try_to_lock);
    if (!running.owns_lock()) return false;
    start_workers(job.members - 1);
    job_ = job;
    job_.members = std::min(job.members, static_cast<int>(workers_.size()) + 1);
    for (int share = 0; share < job_.members; ++share) {
      next_of(share).store(first_of_share(share), std::memory_order_relaxed);
    }
    each_done_.store(0, std::memory_order_relaxed);
    epoch_ += 1;
    epoch_.notify_all();  // costs a load where nobody sleeps
    take_part(0);
    if (job.each != nullptr) wait_until([&] { return each_done_ == job_.members; }, each_done_);
    epoch_ += 1;
    wait_until([&] { return inside_ == 0; }, inside_);
    return true;
  }

 private:
  // Odd while a job is open.
  static bool is_open(uint32_t epoch) { return epoch % 2 == 1; }

  template <typename Done, typename Value>
  static void wait_until(const Done& done, std::atomic<Value>& value) {
    while (!look_for(done)) {
      const Value seen = value;
      if (!done()) value.wait(seen);
    }
  }

  void take_part(int index) {
    current_index = index;
    inside_parallel = true;
    if (job_.each != nullptr) {
      job_.each(job_.context, index);
      if (++each_done_ == job_.members) each_done_.notify_all();
    } else {
      for (int turn = 0; turn < job_.members; ++turn) take_share((index + turn) % job_.members);
    }
    inside_parallel = false;
    current_index = 0;
  }

  int64_t first_of_share(int share) const { return share * job_.chunks / job_.members; }
  std::atomic<int64_t>& next_of(int share) { return shares_[static_cast<size_t>(share)].next; }
  void take_share(int share) {
    std::atomic<int64_t>& next = next_of(share);
    const int64_t end = first_of_share(share + 1);
    for (int64_t chunk = next++; chunk < end; chunk = next++) {
      job_.ranges(job_.context, chunk * job_.count / job_.chunks, (chunk + 1) * job_.count / job_.chunks);
    }
  }

  // The job may be read only between entering and leaving, and only if it is still open then: who closes it
  // waits until nobody is inside before there is another.
  void work(int index) {
    for (uint32_t seen = 0; !stopping_;) {
      if (!look_for([&] { return epoch_ != seen; })) epoch_.wait(seen);
      seen = epoch_;
      if (!is_open(seen)) continue;
      ++inside_;
      if (epoch_ == seen && index < job_.members) take_part(index);
      if (--inside_ == 0) inside_.notify_one();
    }
  }

  struct Start {
    Pool* pool;
    int index;
  };
  // Where the system refuses threads, those that there are do the work; it is not asked again.
  void start_workers(int wanted) {
    if (share_count_ <= wanted) {
      share_count_ = wanted + 1;
      shares_ = std::make_unique<Share[]>(static_cast<size_t>(share_count_));
    }
    while (!refused_ && static_cast<int>(workers_.size()) < wanted) {
      workers_.reserve(static_cast<size_t>(wanted));
      auto start = std::make_unique<Start>(Start{this, static_cast<int>(workers_.size()) + 1});
      pthread_attr_t attributes;
      refused_ = ::pthread_attr_init(&attributes) != 0;
      if (refused_) return;
      ::pthread_attr_setstacksize(&attributes, kStackBytes);
      pthread_t worker = {};
      refused_ = ::pthread_create(
                     &worker, &attributes,
                     [](void* argument) -> void* {
                       const std::unique_ptr<Start> given(static_cast<Start*>(argument));
                       given->pool->work(given->index);
                       return nullptr;
                     },
                     start.get()) != 0;
      ::pthread_attr_destroy(&attributes);
      if (refused_) return;
      static_cast<void>(start.release());
      workers_.push_back(worker);
    }
  }

  // As OpenMP's programs take it, whose variable users know.
  static int threads_at_start() {
    const char* const wanted = std::getenv("OMP_NUM_THREADS");
    const int count = wanted == nullptr ? 0 : static_cast<int>(std::strtol(wanted, nullptr, 10));
    return count > 0 ? count : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  }

  std::atomic<int> threads_ = threads_at_start();
  std::mutex running_;  // held by the thread whose job runs; guards the next three
  std::vector<pthread_t> workers_;
  bool refused_ = false;  // the system, another thread
  int share_count_ = 0;
  Job job_;
  std::atomic<uint32_t> epoch_ = 0;
  std::unique_ptr<Share[]> shares_;
  std::atomic<int> inside_ = 0;     // workers that may read job_
  std::atomic<int> each_done_ = 0;  // threads
  std::atomic<bool> stopping_ = false;
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

// Ranges are handed out in small chunks, so that a thread that is disturbed does not hold up the rest.
void parallel_ranges(int64_t count, int64_t grain, int64_t ranges_per_thread, void* context,
                     RangeFunction function) {
  if (count <= 0) return;
  grain = std::max<int64_t>(1, grain);
  const int64_t most = (count + grain - 1) / grain;
  const auto threads = static_cast<int>(std::min<int64_t>(thread_count(), most));
  const int64_t chunks = std::min<int64_t>(most, threads * ranges_per_thread);
  const bool alone = threads <= 1 || inside_parallel;
  if (alone || !pool().run({context, function, nullptr, count, chunks, threads})) function(context, 0, count);
}

void each_thread(void* context, void (*function)(void* context, int thread)) {
  const int threads = thread_count();
  const bool alone = threads <= 1 || inside_parallel;
  if (alone || !pool().run({context, nullptr, function, 0, 0, threads})) function(context, thread_index());
}

}  // namespace detail
}  // namespace snug
