// Gathers samples and writes them to the store together, on a thread of its own: so the disk is not synced
// for each sample, and a database that is locked does not make the next sample late. Listens to a
// MachineSampler.
//
// A crash loses what was gathered since the last write, at most `every`. While the database cannot be written
// the samples stay, up to kMostGathered, then the oldest go; a warning says so once a minute.
//
// Threads: add() from any, and it never waits for the database. The destructor writes what is there.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "monitor/samples/sample_store.h"

namespace snug {

inline constexpr size_t kMostGathered = 2000;

class SampleWriter {
 public:
  explicit SampleWriter(SampleStore& store, std::chrono::milliseconds every = std::chrono::seconds(30));
  ~SampleWriter();
  SampleWriter(const SampleWriter&) = delete;
  SampleWriter& operator=(const SampleWriter&) = delete;

  void add(const Sample& sample);
  // Writes what is there now; false: it failed and stays.
  bool flush();
  int64_t lost() const;  // samples that went, as the database could not be written for too long

 private:
  void loop();

  SampleStore& store_;
  const std::chrono::milliseconds every_;
  std::mutex writing_;  // one write at a time, so that samples stay in order
  std::optional<std::chrono::steady_clock::time_point> warned_;  // guarded by writing_
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Sample> gathered_;  // guarded by mutex_, as all that follows
  int64_t lost_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace snug
