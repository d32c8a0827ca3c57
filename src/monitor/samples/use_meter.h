// What the machine did during a run: the difference of two readings of the kernel's counters, and the highest
// and mean of what has no counter, from both ends and from the samples taken between. Made once by the
// service; whoever observes runs calls begin() and since().
//
// Numbers of GPUs are from samples alone: asking the driver may take longer than a small run. A run during
// which no sample was taken has none. Runs beside each other each see the whole machine and process.
//
// Threads: all methods may be called from any; one reading at a time. The sampler outlives it. Throws
// nothing.
#pragma once

#include <mutex>

#include "jobs/machine_use.h"
#include "monitor/samples/counter_reader.h"
#include "monitor/samples/sampler.h"

namespace snug {

class UseMeter {
 public:
  // Without a sampler there are both ends alone.
  explicit UseMeter(CounterOptions options, const MachineSampler* sampler = nullptr);

  // Takes well under a millisecond; so does since(), with the samples of an hour.
  Reading begin();
  MachineUse since(const Reading& begin);

 private:
  Reading read();
  std::mutex mutex_;
  CounterReader reader_;  // guarded by mutex_
  const MachineSampler* const sampler_;
};

// What since() does with its readings; `between` are samples of that time.
MachineUse machine_use(const Reading& begin, const Reading& end, const std::vector<Sample>& between);

}  // namespace snug
