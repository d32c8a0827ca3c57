#include "monitor/samples/sample_writer.h"

#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace snug {
namespace {
constexpr std::chrono::minutes kBetweenWarnings{1};
}  // namespace

SampleWriter::SampleWriter(SampleStore& store, std::chrono::milliseconds every)
    : store_(store), every_(every), thread_([this] { loop(); }) {}

SampleWriter::~SampleWriter() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  flush();
}

void SampleWriter::add(const Sample& sample) {
  Sample kept;
  kept.time_ms = sample.time_ms;
  kept.values = sample.values;  // what the store keeps; cores and cards stay with the sampler
  const std::scoped_lock lock(mutex_);
  if (gathered_.size() >= kMostGathered) {
    gathered_.erase(gathered_.begin());
    ++lost_;
  }
  gathered_.push_back(std::move(kept));
}

bool SampleWriter::flush() {
  const std::scoped_lock writing(writing_);
  std::vector<Sample> samples;
  int64_t lost_before = 0;
  {
    const std::scoped_lock lock(mutex_);
    samples = gathered_;
    lost_before = lost_;
  }
  try {
    store_.write(samples);
  } catch (const Error& error) {
    const auto now = std::chrono::steady_clock::now();
    if (!warned_ || now - *warned_ >= kBetweenWarnings) {
      warned_ = now;
      log::warn("samples cannot be written to the database: {}", error.what());
    }
    return false;
  }
  const std::scoped_lock lock(mutex_);
  // More may have come meanwhile, and the oldest may have gone for them.
  const int64_t gone = lost_ - lost_before;
  const auto written = static_cast<int64_t>(samples.size()) - gone;
  if (written > 0) gathered_.erase(gathered_.begin(), gathered_.begin() + static_cast<ptrdiff_t>(written));
  return true;
}

int64_t SampleWriter::lost() const {
  const std::scoped_lock lock(mutex_);
  return lost_;
}

void SampleWriter::loop() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, every_, [&] { return stopping_; })) {
    lock.unlock();
    flush();
    lock.lock();
  }
}

}  // namespace snug
