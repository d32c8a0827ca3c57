#include "jobs/housekeeping.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include "base/log.h"
#include "jobs/blobs_in_use.h"

namespace snug {
namespace {

// Of jobs in one transaction, and the pause after it: a writer that waits gets its turn.
constexpr int64_t kJobsAtOnce = 100;
constexpr double kPauseSeconds = 0.05;
// After something failed, where the interval is longer.
constexpr double kRetrySeconds = 60;

int64_t ms_of(double seconds) { return static_cast<int64_t>(seconds * 1000); }

}  // namespace

Housekeeping::Housekeeping(const HousekeepingOptions& options, const HousekeepingParts& parts)
    : options_(options), parts_(parts), thread_([this] { loop(); }) {}

Housekeeping::~Housekeeping() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Housekeeping::loop() {
  ::pthread_setname_np(::pthread_self(), "snug tidy");
  double wait_seconds = 0;
  while (pause(wait_seconds)) {
    wait_seconds = options_.interval_seconds;
    try {
      tidy();
    } catch (const std::exception& error) {
      wait_seconds = std::min(wait_seconds, kRetrySeconds);
      log::warn("what is old is not removed, to be tried again: {}", error.what());
    }
  }
}

void Housekeeping::tidy() {
  forget_jobs();
  if (!pause(0)) return;
  if (options_.keep_uploads_seconds.has_value()) {
    const int64_t uploads =
        parts_.uploads.forget(parts_.database.now_ms() - ms_of(*options_.keep_uploads_seconds));
    if (uploads > 0) log::event(log::Level::kInfo, "old uploads removed", {{"uploads", uploads}});
  }
  for (const CacheFigures& cache : parts_.caches.figures()) {
    if (!pause(0)) return;
    parts_.caches.evict(cache.kind);
  }
  if (!pause(0)) return;
  if (const int decodings = parts_.decodings.sweep(parts_.database); decodings > 0)
    log::event(log::Level::kInfo, "decodings of jobs that are over removed", {{"decodings", decodings}});
  const Swept swept = parts_.blobs.sweep(blobs_in_use(parts_.database), options_.blob_grace_seconds);
  if (swept.blobs > 0) {
    log::event(log::Level::kInfo, "blobs that nothing names removed",
               {{"blobs", swept.blobs}, {"bytes", swept.bytes}});
  }
}

void Housekeeping::forget_jobs() {
  if (!options_.keep_jobs_seconds.has_value()) return;
  const int64_t before_ms = parts_.database.now_ms() - ms_of(*options_.keep_jobs_seconds);
  int64_t forgotten = 0;
  for (;;) {
    const int64_t now = parts_.jobs.forget_ended(before_ms, kJobsAtOnce);
    forgotten += now;
    if (now < kJobsAtOnce || !pause(kPauseSeconds)) break;
  }
  if (forgotten > 0) log::event(log::Level::kInfo, "jobs that ended long ago removed", {{"jobs", forgotten}});
}

bool Housekeeping::pause(double seconds) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return stopping_; });
}

}  // namespace snug
