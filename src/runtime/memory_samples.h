// The process's memory over a run, as the kernel says it is: a thread of its own reads it every few
// milliseconds while it lives. `snug profile` has one and shows it beside what was planned
// (plan/live_bytes.h).
//
// All memory is taken and touched in the constructor: one made before the plan counts as the process's in the
// plan's peak. When it is full every second sample is dropped and half as many are taken from then on, so
// that any run fits.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

namespace snug {

struct MemorySample {
  int64_t at_ns = 0;            // since `start`
  uint64_t resident_bytes = 0;  // of the process
  uint64_t arena_bytes = 0;     // of that, in arenas
};

class MemorySamples {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kInterval{5};
  static constexpr size_t kMost = 16'384;  // 384 KiB; 80 s at the first interval

  // `start`: when the time is 0. Throws std::bad_alloc, std::system_error (no thread).
  explicit MemorySamples(Clock::time_point start = Clock::now(),
                         std::chrono::nanoseconds interval = kInterval, size_t most = kMost);
  MemorySamples(const MemorySamples&) = delete;
  MemorySamples& operator=(const MemorySamples&) = delete;

  // Ends sampling, with a last sample. Once.
  void stop();

  // After stop. None where the system does not tell (no /proc).
  std::span<const MemorySample> samples() const { return std::span(samples_).first(count_); }
  double interval_seconds() const { return std::chrono::duration<double>(interval_).count(); }  // at the end
  double cost_seconds() const { return cost_seconds_; }                                         // of reading

 private:
  void take(int statm);
  void thin_out();
  void sample(const std::stop_token& stop);

  const Clock::time_point start_;
  std::chrono::nanoseconds interval_;
  std::vector<MemorySample> samples_;
  size_t count_ = 0;
  double cost_seconds_ = 0;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace snug
