#include "runtime/memory_samples.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>

#include "base/stopwatch.h"
#include "runtime/arena.h"

namespace snug {
namespace {

// The second number of /proc/self/statm, in pages. 0 where it cannot be read.
uint64_t resident_bytes(int statm) {
  char text[128];
  const ssize_t size = ::pread(statm, text, sizeof text, 0);
  if (size <= 0) return 0;
  const char* const begin = text;
  const char* const end = begin + size;
  const char* const space = std::find(begin, end, ' ');
  if (space == end) return 0;
  uint64_t pages = 0;
  std::from_chars(space + 1, end, pages);
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

MemorySamples::MemorySamples(Clock::time_point start, std::chrono::nanoseconds interval, size_t most)
    : start_(start), interval_(interval), samples_(std::max<size_t>(most, 2)) {
  // Values are written, so the pages are there.
  thread_ = std::jthread([this](const std::stop_token& stop) { sample(stop); });
}

void MemorySamples::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void MemorySamples::sample(const std::stop_token& stop) {
  const int statm = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (statm < 0) return;
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  Clock::time_point next = Clock::now();
  while (!stop.stop_requested()) {
    take(statm);
    next += interval_;
    stopped.wait_until(lock, stop, next, [] { return false; });
  }
  take(statm);
  ::close(statm);
}

void MemorySamples::take(int statm) {
  const Stopwatch watch;
  if (count_ == samples_.size()) thin_out();
  MemorySample& sample = samples_[count_];
  sample.arena_bytes = resident_arena_bytes();
  sample.resident_bytes = resident_bytes(statm);
  sample.at_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
  // An arena that is filled or given back between the two readings is larger than all.
  sample.arena_bytes = std::min(sample.arena_bytes, sample.resident_bytes);
  ++count_;
  cost_seconds_ += watch.seconds();
}

void MemorySamples::thin_out() {
  for (size_t i = 0; 2 * i < count_; ++i) samples_[i] = samples_[2 * i];
  count_ = (count_ + 1) / 2;
  interval_ *= 2;
}

}  // namespace snug
