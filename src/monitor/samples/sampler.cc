#include "monitor/samples/sampler.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "monitor/samples/nvml.h"
#include "monitor/samples/rates.h"

namespace snug {
namespace {

constexpr std::chrono::milliseconds kFirstAfter{500};

MachineSamplerOptions checked(MachineSamplerOptions options) {
  if (options.interval < kLeastSampleInterval || options.interval > kMostSampleInterval) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("samples every {} ms are not possible", options.interval.count()),
                fmt::format("choose {} to {} ms", kLeastSampleInterval.count(), kMostSampleInterval.count()));
  }
  options.most_kept = std::max<size_t>(options.most_kept, 1);
  return options;
}

// Nearest rank: the smallest value with at least this share of all at or below it.
std::optional<double> quantile(std::vector<double> values, double share) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

MachineSampler::MachineSampler(MachineSamplerOptions options) : options_(checked(std::move(options))) {
  thread_ = std::thread([this] { loop(); });
}

MachineSampler::~MachineSampler() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void MachineSampler::loop() {
  // On this thread: a driver may take seconds to answer for the first time.
  Nvml nvml(options_.nvml_library);
  CounterReader reader(options_.counters);
  Reading before, after;
  SampleReasons reasons;
  reader.read(before);
  Clock::time_point deadline = Clock::now() + std::min(options_.interval, kFirstAfter);
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_until(lock, deadline, [&] { return stopping_; })) return;
    }
    const Clock::time_point begun = Clock::now();
    Sample sample;
    sample.time_ms = now_ms();
    reader.read(after);
    nvml.read(sample.gpus);
    fill_sample(before, after, reader, sample, reasons);
    fill_gpu_fields(sample.gpus, nvml.problem(), sample, reasons);
    std::swap(before, after);
    sample[SampleField::kJitterSeconds] = std::chrono::duration<double>(begun - deadline).count();
    sample[SampleField::kSampleSeconds] = std::chrono::duration<double>(Clock::now() - begun).count();
    reasons[static_cast<size_t>(SampleField::kJitterSeconds)].clear();
    reasons[static_cast<size_t>(SampleField::kSampleSeconds)].clear();
    keep(std::move(sample), reasons);
    // The first deadline that is still ahead.
    const auto missed = std::max<Clock::duration::rep>(0, (Clock::now() - deadline) / options_.interval);
    deadline += options_.interval * (missed + 1);
  }
}

void MachineSampler::keep(Sample sample, const SampleReasons& reasons) {
  {
    const std::scoped_lock lock(mutex_);
    ++count_;
    spent_seconds_ += sample[SampleField::kSampleSeconds].value_or(0);
    reasons_ = reasons;
    kept_.push_back(sample);
    while (kept_.size() > options_.most_kept) kept_.pop_front();
  }
  const std::scoped_lock lock(listeners_mutex_);
  for (const Listener& listener : listeners_) {
    try {
      listener(sample);
    } catch (const std::exception& error) {
      log::warn("a listener to samples failed: {}", error.what());
    }
  }
}

std::unique_ptr<MachineSampler::Subscription> MachineSampler::listen(Listener listener) {
  const std::scoped_lock lock(listeners_mutex_);
  const auto place = listeners_.insert(listeners_.end(), std::move(listener));
  return std::make_unique<Subscription>(*this, place);
}

MachineSampler::Subscription::~Subscription() {
  const std::scoped_lock lock(sampler_.listeners_mutex_);
  sampler_.listeners_.erase(place_);
}

std::optional<Sample> MachineSampler::latest() const {
  const std::scoped_lock lock(mutex_);
  if (kept_.empty()) return std::nullopt;
  return kept_.back();
}

std::vector<Sample> MachineSampler::recent(int64_t since_ms) const {
  const std::scoped_lock lock(mutex_);
  std::vector<Sample> found;
  // In order of being taken; the system's clock may have been set back between.
  std::copy_if(kept_.begin(), kept_.end(), std::back_inserter(found),
               [&](const Sample& sample) { return sample.time_ms >= since_ms; });
  return found;
}

SampleReasons MachineSampler::reasons() const {
  const std::scoped_lock lock(mutex_);
  return reasons_;
}

SamplerCost MachineSampler::cost() const {
  SamplerCost cost;
  std::vector<double> seconds, jitters;
  {
    const std::scoped_lock lock(mutex_);
    cost.samples = count_;
    const double alive_seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    cost.share = alive_seconds > 0 ? spent_seconds_ / alive_seconds : 0;
    for (const Sample& sample : kept_) {
      seconds.push_back(sample[SampleField::kSampleSeconds].value_or(0));
      jitters.push_back(sample[SampleField::kJitterSeconds].value_or(0));
    }
  }
  cost.median_seconds = quantile(seconds, 0.5);
  cost.p99_seconds = quantile(seconds, 0.99);
  cost.highest_seconds = quantile(seconds, 1);
  cost.p99_jitter_seconds = quantile(jitters, 0.99);
  cost.highest_jitter_seconds = quantile(jitters, 1);
  return cost;
}

}  // namespace snug
