// Takes a sample of the machine and of this process every few seconds, on one thread, and keeps the last
// ones. Made by `snug serve` and `snug monitor`; alerts, the store of samples and live pages listen.
//
// Deadlines are absolute: a late sample does not move those after it, and deadlines that were missed entirely
// are left out, not made up for. How late a sample was and what it took are two of its own fields.
//
// Threads: all methods may be called from any. Listeners are called on the sampler's thread, one at a time,
// and must be quick: what they take makes the next sample late. The destructor stops at once, whatever the
// interval, and waits for a sample that is being taken.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "monitor/samples/counter_reader.h"
#include "monitor/samples/sample.h"

namespace snug {

inline constexpr std::chrono::milliseconds kLeastSampleInterval{100}, kMostSampleInterval{3'600'000};

struct MachineSamplerOptions {
  std::chrono::milliseconds interval{5000};  // within the limits above, else invalid_argument is thrown
  size_t most_kept = 720;                    // an hour at the default interval
  CounterOptions counters;
  std::string nvml_library = "libnvidia-ml.so.1";
};

// What sampling itself takes, over the samples that are kept.
struct SamplerCost {
  int64_t samples = 0;  // since the start
  double share = 0;     // of one core's time since the start, 0 to 1
  std::optional<double> median_seconds, p99_seconds, highest_seconds;
  std::optional<double> p99_jitter_seconds, highest_jitter_seconds;
};

class MachineSampler {
 public:
  using Listener = std::function<void(const Sample&)>;
  // Ends with its destructor, which waits for a call that is under way. Not from inside a listener.
  class Subscription;

  explicit MachineSampler(MachineSamplerOptions options);
  ~MachineSampler();
  MachineSampler(const MachineSampler&) = delete;
  MachineSampler& operator=(const MachineSampler&) = delete;

  [[nodiscard]] std::unique_ptr<Subscription> listen(Listener listener);

  // nullopt: there is none yet. The first comes after half a second, or one interval if that is shorter.
  std::optional<Sample> latest() const;
  // Of those that are kept, taken at or after `since_ms`; oldest first.
  std::vector<Sample> recent(int64_t since_ms = 0) const;
  // Why fields were absent when they last were.
  SampleReasons reasons() const;
  SamplerCost cost() const;
  std::chrono::milliseconds interval() const { return options_.interval; }

 private:
  using Clock = std::chrono::steady_clock;
  void loop();
  void keep(Sample sample, const SampleReasons& reasons);

  const MachineSamplerOptions options_;
  const Clock::time_point start_ = Clock::now();
  std::mutex listeners_mutex_;
  std::list<Listener> listeners_;  // guarded by listeners_mutex_
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Sample> kept_;  // guarded by mutex_, as all that follows
  SampleReasons reasons_;
  int64_t count_ = 0;
  double spent_seconds_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

class MachineSampler::Subscription {
 public:
  Subscription(MachineSampler& sampler, std::list<Listener>::iterator place)
      : sampler_(sampler), place_(place) {}
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  MachineSampler& sampler_;
  std::list<Listener>::iterator place_;
};

}  // namespace snug
