#include "pipeline/tune.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include <fmt/format.h>

#include "base/machine_memory.h"
#include "base/parallel.h"
#include "base/pinning.h"
#include "base/stopwatch.h"
#include "pipeline/measure_kernels.h"

namespace snug {
namespace {

constexpr size_t kMostSamples = 25;
// Slower than this times the best in a first round, a count is not tried again.
constexpr double kHopeless = 1.5;
// What counts as equally fast is what the best one's own repeats differ by, within these.
constexpr double kLeastTolerance = 0.02, kMostTolerance = 0.10;
// Where repeats differ by more, other programs have the cores.
constexpr double kBusySpread = 0.25;
// Of the budget, for threads; the rest is for pinning.
constexpr double kThreadsShare = 0.75;
constexpr int kSmallNodes = 20;  // so many of each kind, as a step has many

NodeSpec product(int64_t rows, int64_t inputs, int64_t outputs) {
  return node_of(Op::kLinear, LinearAttrs{},
                 {{DType::kF32, {rows, inputs}},
                  {DType::kF16, {outputs, inputs}, true, true},
                  {DType::kF32, {outputs}, true, true},
                  {DType::kF32, {}, false}});
}

NodeSpec convolution(int64_t channels, int64_t side) {
  return node_of(Op::kConv2d, Conv2dAttrs{1, 1, 1, 1, 1, Activation::kNone},
                 {{DType::kF32, {1, channels, side, side}},
                  {DType::kF16, {channels, channels, 3, 3}, true, true},
                  {DType::kF32, {channels}, true, true},
                  {DType::kF32, {}, false}});
}

NodeSpec attention(int64_t tokens) {
  constexpr int64_t kChannels = 320, kHeads = 8;
  const Operand values{DType::kF32, {1, tokens, kChannels}};
  return node_of(Op::kAttention, AttentionAttrs{kHeads, 0.158F, false}, {values, values, values});
}

NodeSpec addition(int64_t elements) {
  const Operand values{DType::kF32, {1, elements / 64, 64}};
  return node_of(Op::kAdd, {}, {values, values});
}

// About 8 GFLOP, in the proportions of a step, with the small operators between large ones that many threads
// are slow at.
std::vector<NodeSpec> stand_in() {
  std::vector<NodeSpec> nodes = {convolution(320, 32), convolution(640, 16), product(1024, 320, 1280),
                                 product(256, 1280, 1280), attention(1024)};
  for (int i = 0; i < kSmallNodes; ++i) {
    nodes.push_back(addition(int64_t{320} * 32 * 32));
    nodes.push_back(product(2, 1280, 320));
  }
  return nodes;
}

struct Timed {
  TuneCandidate candidate;
  std::vector<double> samples;
  std::unique_ptr<KernelSequence> sequence;  // made with this thread count, at the first sample
  double least() const { return *std::min_element(samples.begin(), samples.end()); }
};

// Takes a thread count and pinning into effect, and puts them back.
class ThreadSettings {
 public:
  ThreadSettings() = default;
  ~ThreadSettings() {
    use(pinned_);
    set_thread_count(threads_);
  }
  ThreadSettings(const ThreadSettings&) = delete;
  ThreadSettings& operator=(const ThreadSettings&) = delete;

  static void use(int threads, bool pin) {
    set_thread_count(threads);
    use(pin);
  }

 private:
  static void use(bool pin) {
    if (pin == threads_are_pinned()) return;
    if (pin) {
      static_cast<void>(pin_threads());
    } else {
      unpin_threads();
    }
  }
  const int threads_ = thread_count();
  const bool pinned_ = threads_are_pinned();
};

class Tuner {
 public:
  Tuner(const Backend& backend, const TuneOptions& options)
      : backend_(backend), options_(options), nodes_(stand_in()) {}

  TuneResult run() {
    const Stopwatch watch;
    const ThreadSettings settings;
    const CoreLayout& cores = core_layout();
    std::vector<Timed> by_threads;
    for (const int threads : thread_counts_to_try(cores, cpu_quota())) {
      by_threads.push_back(candidate(threads, false));
    }
    time_rounds(by_threads, kThreadsShare * options_.budget_seconds);
    const double differing = spread(by_threads);
    const double tolerance = std::clamp(differing, kLeastTolerance, kMostTolerance);
    TuneResult result;
    result.candidates = results(by_threads);
    result.tolerance = tolerance;
    result.busy = differing > kBusySpread;
    const int threads = best_of(result.candidates, tolerance).threads;
    by_threads.clear();
    std::vector<Timed> by_pinning;
    by_pinning.push_back(candidate(threads, false));
    by_pinning.push_back(candidate(threads, true));
    time_rounds(by_pinning, (1 - kThreadsShare) * options_.budget_seconds);
    const TuneCandidate free = results(by_pinning).front(), pinned = results(by_pinning).back();
    result.candidates.push_back(pinned);
    result.best = {threads,
                   best_of({free, pinned}, tolerance).pin && pinned.median_seconds < free.median_seconds};
    result.seconds = watch.seconds();
    return result;
  }

 private:
  // One sample: run once to warm up, as threads have just been started, and once on the clock.
  void time(Timed& timed) const {
    ThreadSettings::use(timed.candidate.threads, timed.candidate.pin);
    if (!timed.sequence) timed.sequence = std::make_unique<KernelSequence>(backend_, nodes_);
    timed.sequence->run();
    const Stopwatch watch;
    timed.sequence->run();
    timed.samples.push_back(watch.seconds());
  }

  void time_rounds(std::vector<Timed>& candidates, double budget_seconds) const {
    const Stopwatch watch;
    for (Timed& timed : candidates) {
      tell(timed.candidate);
      time(timed);
    }
    double best = candidates.front().least();
    for (const Timed& timed : candidates) best = std::min(best, timed.least());
    for (size_t round = 1; round < kMostSamples && watch.seconds() < budget_seconds; ++round) {
      for (Timed& timed : candidates) {
        if (timed.least() <= kHopeless * best) time(timed);
      }
    }
  }

  void tell(const TuneCandidate& candidate) const {
    if (!options_.progress) return;
    options_.progress(fmt::format("{} thread{}{}", candidate.threads, candidate.threads == 1 ? "" : "s",
                                  candidate.pin ? ", pinned" : ""));
  }

  // By how much the best one's median is above its least.
  static double spread(const std::vector<Timed>& timed) {
    const std::vector<TuneCandidate> candidates = results(timed);
    const auto best = std::min_element(
        candidates.begin(), candidates.end(),
        [](const TuneCandidate& a, const TuneCandidate& b) { return a.least_seconds < b.least_seconds; });
    return best->median_seconds / best->least_seconds - 1;
  }

  static Timed candidate(int threads, bool pin) {
    Timed timed;
    timed.candidate.threads = threads;
    timed.candidate.pin = pin;
    return timed;
  }

  static std::vector<TuneCandidate> results(const std::vector<Timed>& timed) {
    std::vector<TuneCandidate> list;
    for (const Timed& one : timed) {
      std::vector<double> sorted = one.samples;
      std::sort(sorted.begin(), sorted.end());
      TuneCandidate candidate = one.candidate;
      candidate.samples = static_cast<int>(sorted.size());
      candidate.least_seconds = sorted.front();
      candidate.median_seconds = sorted[sorted.size() / 2];
      list.push_back(candidate);
    }
    return list;
  }

  const Backend& backend_;
  const TuneOptions& options_;
  const std::vector<NodeSpec> nodes_;
};

}  // namespace

std::vector<int> thread_counts_to_try(const CoreLayout& cores, std::optional<double> quota) {
  const auto logical = static_cast<int>(cores.logical.size());
  int most = logical;
  if (quota && *quota > 0) {
    most = std::min(logical, static_cast<int>(std::min(std::ceil(*quota), 1e6)) + 1);
  }
  std::vector<int> counts = {cores.physical, most};
  for (int count = 1; count < most; count *= 2) counts.push_back(count);
  std::erase_if(counts, [&](int count) { return count > most; });
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

TunedThreads best_of(const std::vector<TuneCandidate>& candidates, double tolerance) {
  double least = candidates.front().least_seconds;
  for (const TuneCandidate& one : candidates) least = std::min(least, one.least_seconds);
  const TuneCandidate* best = nullptr;
  for (const TuneCandidate& one : candidates) {
    if (one.least_seconds > least * (1 + tolerance)) continue;
    const auto cost = [](const TuneCandidate& of) { return 2 * of.threads + (of.pin ? 1 : 0); };
    if (best == nullptr || cost(one) < cost(*best)) best = &one;
  }
  return {best->threads, best->pin};
}

TuneResult tune(const Backend& backend, const TuneOptions& options) { return Tuner(backend, options).run(); }

}  // namespace snug
